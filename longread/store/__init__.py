"""What lasts on disk: readings, and the passages of a text in an index that finds them again.

Knows files and databases. Knows no model and no torch.
"""
