"""Attention over [sinks | window | new block] with StreamingLLM's in-cache positions."""

from longread_kernels.sink_attention.reference import sink_attention

__all__ = ["sink_attention"]
