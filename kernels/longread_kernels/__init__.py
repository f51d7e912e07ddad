"""The few operations that longread exists for and that no well-kept library has.

Knows tensors. Knows nothing of models, caches or ``longread``, which imports it and
never the other way round. One folder an op; ``reference.py`` in each is the meaning
of the op in plain torch and runs anywhere.
"""
