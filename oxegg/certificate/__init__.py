"""Certificates: chains of named rules from a kernel to its program, and what re-checks them."""
