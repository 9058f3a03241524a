"""Invoices as people read them: text for a terminal, a page for a browser or as PDF; and as FOCUS has costs."""

from __future__ import annotations

from runyard.invoices.focus import render_focus
from runyard.invoices.page import render_page, render_pdf
from runyard.invoices.text import render_statement, render_verification

__all__ = ["render_focus", "render_page", "render_pdf", "render_statement", "render_verification"]
