"""A syntax tree, taken for what it is: pglast's types say of every field that it may be missing."""

from __future__ import annotations

from typing import Any

import pglast.ast

ast: Any = pglast.ast
Tree = Any  # a node of the tree
