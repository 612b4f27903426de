"""Functions on tensors: each operator's definition, its fast versions, the choice of one."""

from .attention import key_semantic_attention
from .dictionary import KeySemanticDictionary, key_semantic_dictionary

__all__ = ["KeySemanticDictionary", "key_semantic_attention", "key_semantic_dictionary"]
