"""Models: which there are, loading one, proving it, and running its layers on a cache of ours."""
