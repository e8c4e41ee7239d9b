"""From physical programs and nests to loop trees of instructions over virtual registers."""
