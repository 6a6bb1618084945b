"""Records what transformers renders for chat templates and for small snippets of Jinja.

    python3 -m venv venv && venv/bin/pip install transformers==5.23.0 jinja2==3.1.6 gguf==0.19.0
    venv/bin/python tests/oracles/record_templates.py MODELS

MODELS: a directory with SmolLM2-135M-Instruct.Q4_1.gguf, whose own template is written beside ours (the Gemma file
has none). Every template under tests/data/template meets every conversation of template_cases.py in the environment
that transformers compiles chat templates in. A result is {"text"}, {"raised"} (what raise_exception() said) or
{"error"} (any other exception, for information). Time stands still at NOW, shown as UTC.
"""

import copy
import datetime
import importlib.metadata
import json
import pathlib
import sys

import jinja2
from gguf import GGUFReader
from template_cases import CONVERSATIONS, EXTRAS, NOW, SNIPPETS, VALUES
from transformers.utils.chat_template_utils import _compile_jinja_template

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "template"
VERSIONS = {p: importlib.metadata.version(p) for p in ("jinja2", "transformers", "gguf")}


def result(source, context):
    now = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)
    try:
        template = _compile_jinja_template(source)
        template.globals["strftime_now"] = now.strftime
        return {"text": template.render(**copy.deepcopy(context))}  # `indent` of a list lengthens the list
    except jinja2.exceptions.TemplateError as error:
        # raise_exception() raises the base class itself; everything else is derived.
        kind = "raised" if type(error) is jinja2.exceptions.TemplateError else "error"
        return {kind: str(error)}
    except Exception as error:  # what the Python underneath refuses
        return {"error": f"{type(error).__name__}: {error}"}


def write(name, record):
    lines = json.dumps(record, ensure_ascii=False, indent=1)
    (OUT / name).write_text(lines + "\n", encoding="utf-8")


def main(models):
    field = GGUFReader(models / "SmolLM2-135M-Instruct.Q4_1.gguf").fields["tokenizer.chat_template"]
    (OUT / "smollm2.jinja").write_text(field.contents(), encoding="utf-8", newline="")

    names = sorted(path.name for path in OUT.glob("*.jinja"))
    rendered = {
        name: {
            conversation: result((OUT / name).read_text(encoding="utf-8"), {**EXTRAS, **context})
            for conversation, context in CONVERSATIONS.items()
        }
        for name in names
    }
    contexts = {name: {**EXTRAS, **context, "strftime_now": NOW} for name, context in CONVERSATIONS.items()}
    write("rendered.json", {"versions": VERSIONS, "contexts": contexts, "rendered": rendered})

    snippets = [{"source": source, **result(source, VALUES)} for source in SNIPPETS]
    write("snippets.json", {"versions": VERSIONS, "context": {**VALUES, "strftime_now": NOW}, "snippets": snippets})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
