"""Modulo scheduling: software pipelines with a proven bound, and their registers."""
