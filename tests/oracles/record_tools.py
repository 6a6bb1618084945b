"""Records the prompts that transformers makes of chats with tools, as text and as ids.

    python3 -m venv venv && venv/bin/pip install transformers==5.23.0 jinja2==3.1.6 gguf==0.19.0 torch==2.8.0
    venv/bin/python tests/oracles/record_tools.py MODELS

MODELS: a directory with SmolLM2-135M-Instruct.Q4_1.gguf, whose vocabulary makes the ids. Each chat is a row of
`partita batch`, a plain one and a line of OpenAI's batches, under each template of STYLES in tests/data/template, which
do what those of Qwen, Hermes, Llama 3, Mistral, gpt-oss, Gemma and others do. transformers gets the same messages, with
the arguments of calls as objects. The tests read tests/data/template/tool_prompts.json.

    venv/bin/python tests/oracles/record_tools.py MODELS --compare build/release/partita TEMPLATES

compares the lengths of prompts under every *.jinja in the folder TEMPLATES instead. Exit code 1 if one differs.
"""

import argparse
import copy
import datetime
import importlib.metadata
import json
import pathlib
import subprocess
import sys

import jinja2
from template_cases import CONVERSATIONS, NOW, TOOLS, assistant, call, system, tool, user
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer
from transformers.utils.chat_template_utils import _compile_jinja_template

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "template"
STYLES = ["xml_style", "header_style", "bracket_style", "harmony_style", "command_style", "granite_style",
          "thinking_style", "alternating_style"]
CHATS = {
    "question": {"messages": [user("Wetter in Zürich? 🙂")], "tools": TOOLS},
    "system": {"messages": [system("Be brief."), user("Weather?")], "tools": TOOLS[:1]},
    "called": {"messages": [user("Weather?"), assistant("", tool_calls=[call("weather", {"place": "Zürich", "days": 3})]),
                            tool('{"sky": "blue"}')], "tools": TOOLS},
    "two calls": {"messages": CONVERSATIONS["two calls"]["messages"][:3] + [tool("12:00", "call00002")], "tools": TOOLS},
    "answered": {"messages": [system("S"), *CONVERSATIONS["reasoning with calls"]["messages"][:5]], "tools": TOOLS},
    "no tools": {"messages": [user("Hi")], "tools": []},
    "begun": {"messages": [user("Weather?"), assistant("It is ")], "tools": TOOLS, "continue_final_message": True},
}
MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
FIXED = {"chat_template_kwargs": {"strftime_now": NOW}}


def openai(body):
    """The chat as OpenAI's clients write it: arguments of calls are text."""
    body = copy.deepcopy(body)
    for message in body["messages"]:
        for one in message.get("tool_calls") or []:
            one["function"]["arguments"] = json.dumps(one["function"]["arguments"], ensure_ascii=False)
    return body


def prompt(tokenizer, source, chat):
    """{"text","ids"}, or {"error"} where the template refuses the chat."""
    going_on = chat.get("continue_final_message", False)
    now = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)
    _compile_jinja_template(source).globals["strftime_now"] = now.strftime  # the compiled template is cached
    how = dict(tools=chat["tools"] or None, chat_template=source, add_generation_prompt=not going_on,
               continue_final_message=going_on)
    try:
        text = tokenizer.apply_chat_template(copy.deepcopy(chat["messages"]), tokenize=False, **how)
        ids = tokenizer.apply_chat_template(copy.deepcopy(chat["messages"]), tokenize=True, return_dict=False, **how)
    except (jinja2.exceptions.TemplateError, ValueError, TypeError) as error:
        return {"error": str(error)}
    return {"text": text, "ids": ids}


def tokenizer_of(models):
    tokenizer = AutoTokenizer.from_pretrained(models, gguf_file=MODEL)
    # As in SmolLM2's tokenizer.json; what transformers makes of a GGUF file does not split digits.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


def line(name, chat):
    return {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": openai(chat | FIXED)}


def record(tokenizer):
    cases = []
    for style in STYLES:
        source = (OUT / f"{style}.jinja").read_text(encoding="utf-8")
        for name, chat in CHATS.items():
            cases.append({"template": f"{style}.jinja", "chat": name, **prompt(tokenizer, source, chat)})
    rows = {name: [chat | FIXED, line(name, chat)] for name, chat in CHATS.items()}
    versions = {p: importlib.metadata.version(p) for p in ("jinja2", "transformers", "tokenizers", "gguf")}
    whole = {"versions": versions, "rows": rows, "cases": cases}
    (OUT / "tool_prompts.json").write_text(json.dumps(whole, ensure_ascii=False) + "\n", encoding="utf-8")
    print(sum("ids" in case for case in cases), "prompts,", sum("error" in case for case in cases), "refusals")


def batch(program, models, template):
    """The tokens of the prompt of each chat, or None where it is refused."""
    lines = [line(name, chat) for name, chat in CHATS.items()]
    for one in lines:
        one["body"] |= {"max_tokens": 1, "temperature": 0}
    done = subprocess.run([program, "batch", "-q", "-m", f"{models}/{MODEL}", "--chat-template", str(template)],
                          input="".join(json.dumps(one) + "\n" for one in lines), capture_output=True, text=True, check=True)
    bodies = [json.loads(answer)["response"]["body"] for answer in done.stdout.splitlines()]
    return [body["usage"]["prompt_tokens"] if "usage" in body else None for body in bodies]


def compare(tokenizer, models, program, templates):
    """Whether `batch` has prompts of the same length as transformers, under other templates."""
    equal = refused = different = 0
    for template in sorted(pathlib.Path(templates).glob("*.jinja")):
        source = template.read_text(encoding="utf-8")
        expected = [prompt(tokenizer, source, chat) for chat in CHATS.values()]
        for name, got, wanted in zip(CHATS, batch(program, models, template), expected, strict=True):
            same = got == (len(wanted["ids"]) if "ids" in wanted else None)
            equal, refused, different = equal + (same and got is not None), refused + (same and got is None), different + (not same)
            if not same:
                print(template.name, name, got, wanted.get("error") or len(wanted["ids"]))
    print(equal, "equal,", refused, "refused by both,", different, "different")
    return int(different > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models")
    parser.add_argument("--compare", nargs=2, metavar=("PARTITA", "TEMPLATES"))
    options = parser.parse_args()
    tokenizer = tokenizer_of(options.models)
    return compare(tokenizer, options.models, *options.compare) if options.compare else record(tokenizer)


if __name__ == "__main__":
    sys.exit(main())
