"""Succession: of two orchestrators on one volume one leads and the other stands by."""
