"""A frozen linear layer and its LoRA in one node of the graph."""

from longread_kernels.lora_linear.reference import lora_linear

__all__ = ["lora_linear"]
