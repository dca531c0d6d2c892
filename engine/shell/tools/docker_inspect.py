"""How docker prints objects: indented JSON, one line of JSON, or a template for each."""

from __future__ import annotations

import json
from typing import Any

from engine.shell.tool import Out
from engine.shell.tools.docker_template import TemplateError, go_json, render


def rendered(objects: list[dict[str, Any]], form: str, errors: str = "") -> Out:
    """`docker inspect [-f FORM]` of objects that were found; `errors` are lines for those that were not."""
    code = 1 if errors else 0
    if form in ("", "json"):
        text = go_json(objects) if form else json.dumps(objects, indent=4, ensure_ascii=False)
        return Out(stdout=text + "\n", stderr=errors, code=code)
    out = ""
    for one in objects:
        try:
            out += render(form, one) + "\n"
        except TemplateError as error:
            errors += f"template parsing error: {error.message}\n"
            code = 1
    return Out(stdout=out or "\n", stderr=errors, code=code)
