"""Pulumi provider of Runyard: services, the gateway's configuration, certificates and claims as resources."""
