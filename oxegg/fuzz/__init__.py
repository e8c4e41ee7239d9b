"""Random kernels, compiled at random and compared: the differential campaign."""
