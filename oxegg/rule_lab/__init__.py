"""The rule lab: evidence for rules, coverage, blame, derivability, mining."""
