"""A function that the model has to call: its arguments are JSON of the function's schema.

Typed clients request their objects so. The model is not given a choice, which few models make well.
API: https://platform.openai.com/docs/guides/function-calling
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any

from cutline.records import JSON
from cutline.service.routes.messages import invalid_value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """The function to call, and the JSON Schema of its arguments."""

    name: str
    schema: JSON

    def call(self, arguments: str) -> JSON:
        """The call as it stands in a message."""
        function = {"name": self.name, "arguments": arguments}
        return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}


def forced_tool(tools: Any, choice: Any) -> Tool | None:
    """The tool that ``tool_choice`` leaves no choice about; raises ServiceError 400 for one that is wrong."""
    if not isinstance(tools, list) or not tools:
        return None
    if choice == "required" and len(tools) == 1:
        return _tool(tools[0])
    named = choice.get("function") if isinstance(choice, dict) else None
    name = named.get("name") if isinstance(named, dict) else None
    if name is None:
        return None
    for one in map(_tool, tools):
        if one.name == name:
            return one
    raise invalid_value("tool_choice names none of the tools", "tool_choice")


def _tool(tool: Any) -> Tool:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    schema = (function.get("parameters") or {"type": "object"}) if isinstance(function, dict) else None
    if not isinstance(name, str) or not isinstance(schema, dict):
        raise invalid_value(
            "a tool needs a function with a name and its parameters as a JSON Schema", "tools"
        )
    return Tool(name=name[:200], schema=schema)
