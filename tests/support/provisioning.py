"""The types of the fixtures of provisioning."""

from collections.abc import Callable
from typing import Any, TypeAlias

File: TypeAlias = dict[str, Any]
Apply: TypeAlias = Callable[..., Any]
Rows: TypeAlias = Callable[..., Any]
