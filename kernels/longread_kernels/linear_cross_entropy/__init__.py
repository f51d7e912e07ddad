"""Negative log-likelihood of tokens under a frozen head, never [tokens, vocabulary] at once."""

from longread_kernels.linear_cross_entropy.reference import linear_cross_entropy

__all__ = ["linear_cross_entropy"]
