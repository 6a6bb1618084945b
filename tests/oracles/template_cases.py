"""Conversations and snippets that record_templates.py renders."""

NOW = 1753979045  # 2025-07-31 16:24:05 UTC

EXTRAS = {"bos_token": "<s>", "eos_token": "</s>"}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def call(name, arguments, id="call00001"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool(content, id="call00001"):
    return {"role": "tool", "name": "weather", "tool_call_id": id, "content": content}


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather & \"more\" <here>\nof a place",
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {"type": "string", "description": "a town's name"},
                    "days": {"type": "integer", "default": 3, "enum": [1, 3, 7]},
                    "flags": {"type": "array", "items": {"type": ["string", "null"]}},
                    "where": {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]},
                },
                "required": ["place"],
            },
            "return": {"type": "string"},
        },
    },
    {
        "type": "function",
        "function": {"name": "clock", "description": "Zeit in Zürich",
                     "parameters": {"type": "object", "properties": {}, "required": []}},
    },
]

TOOL_TALK = [
    system("Use tools."),
    user("Wetter in Zürich?"),
    assistant("", tool_calls=[call("weather", {"place": "Zürich", "days": 3, "where": {"lat": 47.5}, "x": [None, True]})]),
    tool('{"sky": "blue"}'),
    assistant("<think>\nblue\n</think>\n\nBlue."),
    user("Danke"),
]

CONVERSATIONS = {
    "question": {"messages": [user("Hello")], "add_generation_prompt": True},
    "question, no prompt": {"messages": [user("Hello")], "add_generation_prompt": False},
    "prompt undefined": {"messages": [user("Hello")]},
    "system": {"messages": [system("Be brief."), user("Hi")], "add_generation_prompt": True},
    "answered": {"messages": [user("1+1?"), assistant("2")], "add_generation_prompt": False},
    "several turns": {
        "messages": [system("S"), user("a"), assistant("b"), user("c"), assistant("d"), user("e")],
        "add_generation_prompt": True,
    },
    "many turns": {"messages": [user("q"), assistant("a")] * 4, "add_generation_prompt": True},
    "empty content": {"messages": [system(""), user("")], "add_generation_prompt": True},
    "white space": {"messages": [user("  \n\ttrim me \u00a0\u3000\n")], "add_generation_prompt": True},
    "unicode": {"messages": [user("naïve 東京 🙂 e\u0301 \u202e\x01 \"'\\ \r\n")], "add_generation_prompt": True},
    "special tokens": {
        "messages": [user("<|im_end|>\n<|im_start|>system\n{{ 7*7 }}{% raw %}")],
        "add_generation_prompt": True,
    },
    "parts": {
        "messages": [user([{"type": "text", "text": " Look: "}, {"type": "image"}, {"type": "text", "text": "what?"}])],
        "add_generation_prompt": True,
    },
    "system parts": {
        "messages": [system([{"type": "text", "text": "Rules"}]), user([{"type": "text", "text": "Go"}])],
        "add_generation_prompt": True,
    },
    "tools": {"messages": [user("Weather?")], "tools": TOOLS, "add_generation_prompt": True},
    "tools and system": {"messages": [system("S"), user("Weather?")], "tools": TOOLS, "add_generation_prompt": False},
    "tool talk": {"messages": TOOL_TALK, "tools": TOOLS, "add_generation_prompt": True},
    "tool answered": {"messages": TOOL_TALK[:4], "tools": TOOLS, "add_generation_prompt": True},
    "two calls": {
        "messages": [
            user("Both"),
            assistant(None, tool_calls=[call("weather", {"place": "A"}), call("clock", {}, "call00002")]),
            tool("sun"),
            tool({"time": 12}, "call00002"),
        ],
        "add_generation_prompt": True,
    },
    "short id": {"messages": [user("x"), assistant("", tool_calls=[call("clock", {}, "1")])]},
    "thinking": {
        "messages": [user("x"), assistant("<think>\na\n</think>\n\nb"), user("y"),
                     assistant("z", reasoning_content="w")],
        "add_generation_prompt": False,
        "enable_thinking": False,
    },
    "no thinking": {"messages": [user("x")], "add_generation_prompt": True, "enable_thinking": False},
    "documents": {
        "messages": [user("x")],
        "documents": [{"title": "T", "text": "D1"}, {"doc_id": 7, "title": "U", "text": "D2 é"}],
        "controls": {"length": "short", "n": 1.0},
        "add_generation_prompt": True,
    },
    "parallel calls": {  # in one message, without content, with arguments as text and as an object; unicode
        "messages": [
            system("Nutze die Werkzeuge – alle."),
            user("Wetter in Zürich und 東京? 🙂"),
            assistant("", tool_calls=[call("weather", '{"place": "Zürich", "days": 1}'),
                                      call("weather", {"place": "東京", "flags": ["a\u0301", None]}, "call00002"),
                                      call("clock", {}, "call00003")]),
            tool('{"sky": "blau"}'), tool("晴れ", "call00002"), tool("", "call00003"),
            assistant("Zürich: blau; 東京: 晴れ."),
            user("Und morgen?"),
        ],
        "tools": TOOLS,
        "add_generation_prompt": True,
    },
    "reasoning with calls": {  # under each name that templates read
        "messages": [
            user("Weather?"),
            assistant("", reasoning_content="I need\nthe tool.", thinking="I need\nthe tool.",
                      tool_calls=[call("weather", {"place": "A"})]),
            tool("sun"),
            assistant("Sunny.", reasoning_content="It says sun.", thinking="It says sun."),
            user("Thanks"),
            assistant("Welcome.", reasoning_content="", reasoning=None),
        ],
        "tools": TOOLS,
        "add_generation_prompt": False,
        "enable_thinking": True,
    },
    "calls without content": {  # no key at all, after a question in parts
        "messages": [
            user([{"type": "text", "text": "What "}, {"type": "text", "text": "time?"}]),
            {"role": "assistant", "tool_calls": [call("clock", {}), call("clock", {"zone": "UTC"}, "call00002")]},
            {"role": "tool", "content": [{"type": "text", "text": "12:00"}], "tool_call_id": "call00001", "name": "clock"},
            tool("10:00", "call00002"),
        ],
        "tools": TOOLS,
        "add_generation_prompt": True,
        "reasoning_effort": "low",
    },
    "two users": {"messages": [user("a"), user("b")], "add_generation_prompt": True},
    "answer first": {"messages": [assistant("a"), user("b")], "add_generation_prompt": True},
    "unknown role": {"messages": [user("a"), {"role": "Critic", "content": "b"}], "add_generation_prompt": True},
    "tool first": {"messages": [tool("a")], "add_generation_prompt": True},
    "nothing said": {"messages": [], "add_generation_prompt": True},
    "number as content": {"messages": [user(42)], "add_generation_prompt": True},
    "no content": {"messages": [{"role": "user"}], "add_generation_prompt": True},
}

VALUES = {
    "n": 7,
    "f": 2.5,
    "s": "Hello, World",
    "u": "äß東🙂 Ünï",
    "ws": " \t\n x y \u00a0\n",
    "t": True,
    "no": None,
    "l": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "d": {"b": 1, "a": {"x": [1, {"y": "z"}]}, "items": 5, "é": "ü"},
    "people": [
        {"name": "Ann", "age": 30, "tags": ["x"]},
        {"name": "bob", "age": 25},
        {"name": "Cid", "age": 30, "tags": []},
    ],
    "big": 9223372036854775807,
    "huge": 18446744073709551615,
    "html": "<a href=\"x\">'&'</a>",
    "lines": "one\ntwo\r\n\nthree",
    "e": [],
}

SNIPPETS = [
    # printing
    *["{{ %s }}" % x for x in (
        "n", "f", "s", "u", "t", "no", "l", "d", "e", "big", "huge", "missing", "missing.x", "missing[0]", "d.nope",
        "d.nope.x", "d['items']", "d.a.x[1].y", "d['a']['x'][-1]['y']", "l.0", "l[9]", "l[-3]", "l[-4]",
        "'a' 'b'", "'a\\n\\t\\\\\\'\"\\x41\\u00e9\\U0001F642\\101\\q'", '"it\'s"', "[1, 'a', 2.0, none, true]", "(1,)", "(1, 2)", "()",
        "1, 2", "{'a': 1, 2: [3]}", "{}", "['it\\'s', \"q\\\"\", 'b\\\\', '\\n\\r\\t\\x00\\x7f\\xa0é\\u200b']",
        "1e3", "1.5e-7", "1e16", "123456789012345.0", "1e22", "0.1 + 0.2", "1e-5", "0.0001", "100.0", "-0.0", "1_000", "0x1F", "0b11", "0o17", "1e400", "true", "True", "none is none",
    )],
    # arithmetic
    *["{{ %s }}" % x for x in (
        "1 + 2 * 3", "(1 + 2) * 3", "7 // 2", "-7 // 2", "7 % 3", "-7 % 3", "7 % -3", "7 / 2", "6 / 2", "2 ** 10", "2 ** -1",
        "2 ** 3 ** 2", "-2 ** 2", "7.5 // 2", "-7.5 % 2", "7.5 % -2", "1 / 0", "1 // 0", "1 % 0", "1.0 / 0", "0 ** -1", "'a' + 'b'", "'a' + 1", "1 + 'a'",
        "'ab' * 3", "3 * 'ab'", "[1] * 2", "[1] + [2]", "(1,) + (2,)", "[1] + (2,)", "'a' * -1", "true + true", "-true", "+f", "-s", "~ 1",
        "1 ~ 2", "1 ~ none ~ missing ~ 'x' ~ 2.0 ~ [1]", "1 ~ 2 + 3", "missing + 1", "1 + missing", "none + 1", "n - 0.5", "10 - 2 - 3",
        "'%s-%d-%5.2f|%-5s|%05d|%x|%%' % ('a', 3, 2.555, 'b', 42, 255)", "'%s' % 'x'", "'%s' % [1]", "'%(k)s' % {'k': 1}", "'%s %s' % 'x'", "'%d' % 'x'", "'x' % 1", "'%d' % 3.9", "'%r' % 'q'", "'%+d % d' % (1, 2)", "'%e %g' % (12345.678, 0.00001)", "'%.3s|' % 'abcdef'", "'%s' % missing", "5 % 0.0",
    )],
    # comparison and logic
    *["{{ %s }}" % x for x in (
        "1 < 2 < 3", "1 < 3 < 2", "1 == 1.0", "1 == true", "'a' < 'b'", "'a' < 1", "[1, 2] < [1, 3]", "[1] == (1,)", "{'a': 1} == {'a': 1.0}", "none == false",
        "n >= 7 and f <= 2.5", "1 and 'x'", "0 or 'y'", "'' or none", "not 0", "not not s", "not n == 7", "'ell' in s", "'' in s", "1 in 'a'", "1 in l", "4 not in l", "'a' in d", "'z' in d",
        "1 in missing", "missing in l", "missing == missing2", "missing != none", "missing < 1", "1 in 5", "[] in d", "'x' if n > 5 else 'y'", "'x' if n > 9", "('x' if n > 9) is undefined",
        "1 if 0 else 2 if 0 else 3", "not missing", "missing and 1", "f != f", "'é' > 'z'", "1 != 2 == 2", "l == [3, 1, 2]", "'A' == 'a'", "(1, 2) < (1, 2, 3)", "none < 1", "true > false", "big == 9223372036854775807", "huge > big", "9007199254740993 == 9007199254740992.0",
    )],
    # slicing
    *["{{ %s }}" % x for x in (
        "s[1:4]", "s[:-1]", "s[::-1]", "s[-3:]", "s[::2]", "s[5:2]", "s[5:2:-1]", "u[1]", "u[-1]", "u[::-1]", "u[2:4]", "l[1:]", "l[:1]", "l[::-1]", "l[10:]", "l[-10:2]", "(1,2,3)[1:]", "s[100]", "s[0]", "s['x']", "l['x']", "d[0]", "d[1:2]", "n[0]", "n[1:]", "none.x", "none[0]", "missing[1:]", "s[::0]", "s['a':]", "range(10)[2:8:3] | list", "s[none:3]", "l[true]", "s[1:2, 3]", "l[-1:-3:-1]", "u[4:0:-2]",
    )],
    # string methods
    *["{{ %s }}" % x for x in (
        "ws.strip() ~ '|'", "ws.lstrip() ~ '|'", "ws.rstrip() ~ '|'", "'xxaxx'.strip('x')", "'abcba'.strip('ab')", "'xyx'.lstrip('x')", "'äöä'.rstrip('ä')", "'a b  c '.split()", "'a,b,,c'.split(',')", "'a,b,c'.split(',', 1)", "'a b c'.split(none, 1)", "' a  b c '.split(maxsplit=1)", "' a b  c '.rsplit(none, 1)", "'a,b,c'.rsplit(',', 1)", "'aaa'.rsplit('aa')", "'aaa'.split('aa')", "''.split()", "''.split(',')", "'a'.split('')", "'abc'.startswith('ab')", "'abc'.startswith(('x', 'a'))", "'abc'.endswith('bc')", "'abc'.startswith('b', 1)", "'abc'.endswith('b', 0, 2)", "'abc'.startswith(1)",
        "u.upper()", "u.lower()", "'hello world-x y2z'.title()", "'hELLO wORLD'.capitalize()", "'aBc'.swapcase()", "'abcabc'.replace('b', 'X')", "'abcabc'.replace('b', 'X', 1)", "'abc'.replace('', '-')", "'äb'.replace('', '-')", "'abc'.replace('', '-', 2)", "'abcabc'.find('c')", "'abc'.find('z')", "'äbc'.find('b')", "'abcabc'.rfind('b')", "'abcabc'.find('a', 1)", "'abc'.index('z')", "'äböb'.rindex('b')", "'-'.join(['a', 'b'])", "'-'.join('abc')", "'-'.join([1])", "'aXbXc'.partition('X')", "'aXbXc'.rpartition('X')", "'a'.partition('X')", "'a'.rpartition('X')", "lines.splitlines()", "lines.splitlines(true)", "'abcab'.count('ab')", "'aaa'.count('aa')", "'abc'.count('')", "'12'.isdigit()", "'1a'.isdigit()", "''.isalpha()", "'äb'.isalpha()", "'a1'.isalnum()", "' \\n'.isspace()", "'ab'.islower()", "'AB1'.isupper()", "'12'.islower()", "'5'.zfill(3)", "'-5'.zfill(4)", "'a'.ljust(3, '.')", "'a'.rjust(3)", "'ab'.center(5, '*')", "'abc'.center(6, '*')", "'{} {}'.format('a', 1)", "'{1}{0}{x}'.format('a', 'b', x=3)", "'{{}}'.format()", "'{}'.format()", "'prefix-x'.removeprefix('prefix-')", "'x.txt'.removesuffix('.txt')", "'x'.removeprefix('y')", "s.nope", "s.nope()", "s.__class__", "s.__class__.__mro__", "'a'.upper().lower().strip()", "'aB'.isupper()", "'ŝ'.upper()", "s.upper.x",
    )],
    # dict and list methods
    *["{{ %s }}" % x for x in (
        "d.get('b')", "d.get('z')", "d.get('z', 9)", "d.items() | list", "d.keys()", "d.values()", "d.keys() | list", "{'a': 1}.items()", "{'a': 1}.items() | length", "{'k': 1}.keys()[0]", "l.append(4)", "l.append is defined", "l.index(1)", "l.index(9)", "l.count(1)", "d.update({})", "d.pop('a')", "{'a': 1, 'a': 2}", "{1: 'i', true: 'b'}", "{[]: 1}", "{'x': 1}.x", "d.copy()", "d.get([])",
    )],
    # filters
    *["{{ %s }}" % x for x in (
        "ws | trim ~ '|'", "'xax' | trim('x')", "s | length", "u | count", "l | length", "d | length", "missing | length", "n | length", "e | length", "s | upper", "u | lower", "'heLLo wORLD' | capitalize", "'hello wORLD (foo) [bar-baz]' | title", "s | replace('l', 'L')", "s | replace('l', 'L', 1)", "n | replace(7, 8)", "l | join", "l | join(', ')", "people | join(', ', attribute='name')", "missing | join", "n | join", "[1, none, 'a', 2.0] | join('-')", "missing | default('x')", "no | default('x')", "no | default('x', true)", "'' | d('x', boolean=true)", "d.z | default", "s | first", "l | first", "e | first", "(e | first) is undefined", "l | last", "s | last", "missing | first", "d | first", "d | last", "'abc' | list", "d | list", "(1, 2) | list", "missing | list", "n | list", "d | items | list", "missing | items | list",
        "people | map(attribute='name') | list", "people | map(attribute='tags.0') | list | length", "people | map(attribute='tags', default='-') | list", "words | map('upper') | list", "words | map('replace', 'p', 'P') | join", "words | map('nope') | list", "words | map | list", "l | select('odd') | list", "l | select | list", "[0, 1, '', 'a', none] | select | list", "[0, 1] | reject | list", "l | reject('gt', 1) | list", "people | selectattr('tags') | map(attribute='name') | list", "people | selectattr('age', 'eq', 30) | map(attribute='name') | join(',')", "people | rejectattr('age', 'equalto', 30) | map(attribute='name') | join(',')", "people | selectattr('tags', 'defined') | list | length", "people | selectattr('age', '>', 26) | list | length", "l | select('odd')| length", "l | select('odd') is true", "'y' if e | select else 'n'", "l | map('string') | sort | list",
        "l | sort", "l | sort(reverse=true)", "words | sort", "words | sort(case_sensitive=true)", "people | sort(attribute='age') | map(attribute='name') | list", "people | sort(attribute='age,name', reverse=true) | map(attribute='name') | list", "[1, 'a'] | sort", "words | unique | list", "words | unique(case_sensitive=true) | list", "people | unique(attribute='age') | map(attribute='name') | list", "[[1], [1]] | unique | list", "l | reverse | list", "s | reverse", "u | reverse", "missing | reverse | list", "'42' | int", "'x' | int", "'x' | int(default=5)", "'1f' | int(0, 16)", "'0x1f' | int(0, 16)", "'0b1' | int(base=2)", "' 4_2 ' | int", "4.9 | int", "-4.9 | int", "'4.9' | int", "none | int", "[] | int", "true | int", "'1.5' | float", "'x' | float", "3 | float", "'1e3' | float", "' -inf ' | float", "none | float(1.5)", "missing | int", "f | string", "no | string", "missing | string", "-5 | abs", "-5.5 | abs", "'a' | abs", "2.5 | round", "3.5 | round", "2.675 | round(2)", "2.1 | round(0, 'ceil')", "2.19 | round(1, 'floor')", "5 | round", "42.5555 | round(2)", "2.5 | round | int", "-0.5 | round", "1e300 | round(3)",
        "lines | indent", "lines | indent(2)", "lines | indent(2, true)", "lines | indent(width='> ', first=true, blank=true)", "'' | indent", "n | indent", "d | dictsort", "{'b': 1, 'A': 2, 'a': 0} | dictsort", "{'b': 1, 'A': 2} | dictsort(true)", "{'b': 1, 'a': 2} | dictsort(by='value')", "{'b': 1, 'a': 2} | dictsort(reverse=true)", "{1: 1, 'a': 2} | dictsort", "missing | dictsort", "html | e", "html | escape | escape", "html | safe", "('<b>' | safe) + '<i>'", "'<i>' + ('<b>' | safe)", "('<b>' | safe) ~ '<i>'", "('<b>' | safe | upper | trim) + '<'", "(('<b>'|safe) * 2) + '&'", "('<b>'|safe)[0] + '<'", "html | forceescape", "5 | e", "l | sum", "people | sum(attribute='age')", "['a'] | sum", "e | sum", "l | sum(start=10)", "l | min", "l | max", "words | min", "words | max(case_sensitive=true)", "e | max", "people | max(attribute='age')", "'ab' | center(6) ~ '|'", "'%s %s' | format('a', 1)", "'%(a)s' | format(a=2)", "'a b-c_d' | wordcount", "d | attr('b')", "n | nope", "n | upper(1)", "s | trim(chars=none)",
        "1 | default(2) + 3", "-1 | abs", "'a' ~ 'b' | upper", "[1, 2] | first | string ~ 'x'", "s | upper | lower | title | length", "s | replace('o', '0') | upper",
    )],
    # tojson
    *["{{ %s }}" % x for x in (
        "d | tojson", "d | tojson(indent=2)", "d | tojson(indent=0)", "people | tojson(indent='--')", "html | tojson", "u | tojson", "u | tojson(ensure_ascii=true)", "'\\n\\t\\x01\\x7f\\u2028\"\\\\/' | tojson", "[1.0, 1e20, none, true, big, huge] | tojson", "{1: 2, none: 3, true: 4, 1.5: 5} | tojson", "(1, (2,)) | tojson", "{} | tojson(indent=2)", "[] | tojson(indent=2)", "{'a': [], 'b': {}} | tojson(indent=1)", "missing | tojson", "range(3) | tojson", "d.items() | tojson", "l | map('string') | tojson", "{'b': 1, 'a': 2} | tojson(sort_keys=true)", "l | tojson(separators=(',', ':'))", "{'a': 1} | tojson(separators=(',', ':'), indent=1)", "{(1, 2): 3} | tojson", "('inf' | float) | tojson", "namespace(a=1) | tojson", "f | tojson", "no | tojson",
    )],
    # tests
    *["{{ %s }}" % x for x in (
        "missing is defined", "n is defined", "d.x is defined", "missing is undefined", "missing is not defined", "no is none", "s is string", "n is number", "t is number", "t is integer", "n is integer", "f is float", "d is mapping", "l is iterable", "s is iterable", "n is iterable", "d is sequence", "l is sequence", "missing is sequence", "missing is iterable", "d.items() is sequence", "t is boolean", "t is true", "1 is true", "t is false", "s is eq 'Hello, World'", "n is equalto 7", "n is ==(7)", "n is ne 7", "n is in [7]", "n is not in [7]", "'a' is in 'abc'", "n is odd", "n is even", "n is divisibleby 7", "n is divisibleby(2)", "n is lt 8", "n is gt 8", "n is ge 7", "n is le(6)", "n is greaterthan 6", "'a' is lower", "'A1' is upper", "'1' is lower", "n is callable", "range is callable", "no is sameas none", "t is sameas true", "1 is sameas true", "'trim' is filter", "'nope' is filter", "'odd' is test", "n is nope", "not n is odd", "n is odd and f is float", "n is defined and missing is not defined or false", "'a' is odd", "f is odd", "n is number is true", "html is escaped", "huge is integer", "missing is callable", "l is upper", "7 is lower", "l | wordcount",
    )],
    # functions
    *["{{ %s }}" % x for x in (
        "range(3) | list", "range(1, 7, 2) | list", "range(3, 0, -1) | list", "range(0) | list", "range(1, 2, 0)", "range('a')", "range(100000) | length", "range(100001) | length", "range(5)[-1]", "3 in range(5)", "dict(a=1, b=2)", "dict({'a': 1}, b=2)", "dict([('a', 1)])", "namespace(a=1).a", "namespace().b is defined", "namespace({'x': 3}).x", "namespace(_a=1).a", "raise_exception('Stop: ' ~ n)", "raise_exception(n)", "strftime_now('%Y-%m-%d')", "strftime_now('%d %B %Y, %H:%M:%S %p %a %A %b %j %y %I %%')", "strftime_now('%-d/%-m')", "n()", "s()", "missing()", "missing.x()", "d.get()", "nope(1)", "[1](0)",
    )],
    # statements
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}|{% endfor %}",
    "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}",
    "{% for x in e %}a{% else %}empty{% endfor %}",
    "{% for x in missing %}a{% else %}empty{% endfor %}",
    "{% for x in no %}a{% endfor %}",
    "{% for x in n %}a{% endfor %}",
    "{% for c in 'äb' %}[{{ c }}]{% endfor %}",
    "{% for k in d %}{{ k }},{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d | items %}{{ loop.length }}{{ k }};{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }} {% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}",
    "{% for a, b in [1, 2] %}{{ a }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in 1, 2 %}{{ x }}{% endfor %}",
    "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }} {% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% else %}E{% endfor %}",
    "{% for x in l %}{% break %}{% else %}E{% endfor %}",
    "{% for x in l %}{% continue %}{% else %}E{% endfor %}",
    "{% break %}",
    "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}",
    "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x, x % 2) }}{{ loop.changed(0) }} {% endfor %}",
    "{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for x in l %}{{ x }}{% endfor %}{{ x }}{{ loop }}",
    "{% for x in l|reverse %}{{ x }}{% if loop.last %}!{% endif %}{% endfor %}",
    "{% set g = l | map('string') %}{% for x in g %}{{ x }}{% endfor %}{% for x in g %}{{ x }}{% endfor %}",
    "{% set g = l | select %}{{ g | first }}{{ g | list }}",
    "{% set ns = namespace(go=true) %}{% for x in l if ns.go %}{{ x }}{% set ns.go = false %}{% endfor %}",
    "{% set ns = namespace(go=true) %}{% for x in l if ns.go %}{{ x }}{{ loop.last }}{% set ns.go = false %}{% endfor %}",
    "{% if n > 9 %}a{% elif n > 5 %}b{% else %}c{% endif %}",
    "{% if missing %}a{% endif %}|{% if l %}b{% endif %}|{% if e %}c{% endif %}|{% if '' %}d{% endif %}|{% if 0.0 %}e{% endif %}",
    "{% if n: %}x{% endif %}",
    "{% if n %}x",
    "{% if %}x{% endif %}",
    "{% endif %}",
    "{% if n %}{% endfor %}{% endif %}",
    "{% else %}",
    "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% set x = 1 %}{% for i in l %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}",
    "{% set x, y = 1, 2 %}{{ x }}{{ y }}",
    "{% set (x, y) = 'ab' %}{{ x }}{{ y }}",
    "{% set x, y = [1] %}",
    "{% set x = 1, 2 %}{{ x }}",
    "{% set x %}a{{ n }}b{% endset %}{{ x | upper }}",
    "{% set x | upper | replace('A', '-') %}a{{ n }}b{% endset %}{{ x }}",
    "{% set x %}{% set y = 5 %}{% endset %}{{ y }}",
    "{% set ns = namespace(c=0) %}{% for i in l %}{% set ns.c = ns.c + i %}{% endfor %}{{ ns.c }}",
    "{% set ns = namespace() %}{% set ns.a = [] %}{% set ns.a = ns.a + [1] %}{{ ns.a }}{{ ns['a'] }}{{ ns.b }}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}",
    "{% set d.x = 1 %}",
    "{% set missing.x = 1 %}",
    "{% set true = 1 %}",
    "{% set x = %}",
    "{% set 1 = 2 %}",
    "{% set n = n + 1 %}{{ n }}",
    "{{ x }}{% set x = 1 %}{{ x }}",
    "{% if false %}{% set n = 1 %}{% endif %}{{ n }}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% set c = 3 %}{% endwith %}{{ a }}{{ c }}",
    "{% set a = 5 %}{% with a = 1, b = a %}{{ b }}{% endwith %}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}",
    "{% macro m(a, b=2) %}[{{ a }}{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=4) }}{{ m() }}",
    "{% macro m(a, b=2, c=3, d=4) %}{{ a }}{{ b }}{{ c }}{{ d }}{% endmacro %}{{ m(1) }} {{ m(1, d=7) }} {{ m(1, 5) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m() %}{{ n }}{{ v }}{% endmacro %}{% set v = 3 %}{{ m() }}",
    "{% macro m() %}{{ x }}{% endmacro %}{% for x in l %}{{ m() }}{% endfor %}",
    "{% macro f(k) %}{{ k }}{% if k %}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}inner{{ n }}{% endcall %}",
    "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=9) m() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% call n %}{% endcall %}",
    "{% macro m() %} a {% endmacro %}{{ m() | trim | length }}{{ m() is string }}{{ m is callable }}",
    "{% macro m() %}{% set z = 1 %}{% endmacro %}{{ m() }}{{ z }}",
    "{{ m() }}{% macro m() %}late{% endmacro %}",
    "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'x': 2}) }}",
    "{{ dict(**{'a': 1}) }}",
    "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m('<') + '&' }}",
    "{% filter upper %}a{{ s }}{% endfilter %}",
    "{% filter replace('a', 'b') | upper %}aa{% endfilter %}",
    "{% print n, s %}",
    "{% generation %}a{{ n }}{% set gg = 1 %}{% endgeneration %}{{ gg }}",
    "{% frobnicate %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% do l.append(1) %}",
    "{% for x in [1] %}{{ x }}{% endfor %}{% for x in [] %}{% endfor %}",
    "{{ n | nope if false else 'ok' }}",
    "{% if false %}{{ n | nope }}{{ n is nope }}{% endif %}ok",
    "{% if true %}{{ n | nope }}{% endif %}",
    "{% for x in [] %}{{ n | nope }}{% endfor %}",
    # white space
    "  {% if t %}\n  a\n  {% endif %}\nb",
    "a {%- if t %} b {%- endif %} c",
    "a {% if t -%} b {% endif -%} c",
    "a\n{%- if t -%}\n b \n{%- endif -%}\n c",
    "  {%+ if t %}\n  a\n  {%+ endif %}\nb",
    "a{% if t +%}\nb{% endif +%}\nc",
    "{{ n -}}  \n x {{- n }}",
    "  {{ n }}\n  {{- n }}\n",
    "a\n\n",
    "a\r\nb\rc\n",
    "\n\n{# c #}\n  {# d #}\nx {#- e -#} y",
    "  {# c #}  \nx",
    "a {# multi\nline #} b",
    "{#- c +#}\nx",
    "{##}x{#-#}y",
    "{# unterminated",
    "x {% if t %}  \n  y{% endif %}",
    "\t {% set a = 1 %}\t\nx",
    "x{% set a = 1 %}\n  {% set a = 2 %}\n y",
    "{% raw %}{{ n }}{% if %}{% endraw %}",
    "  {% raw %}\n a {{ x }}\n  {% endraw %}\nb",
    "a {%- raw -%} b {{ {%- endraw -%} c",
    "{% raw %}x",
    "{%raw%}{{{%endraw%}",
    "{{ '{{' }}{{ '%}' }}{{ \"}}\" }}",
    "{{ {'a': {'b': 1}} }}",
    "{{ {'a': {'b': 1}}['a']['b'] }}",
    "{{ [{}] }}",
    "{ {n} } {% if t %}{ % } {% endif %} }} %} #}",
    "{{ n",
    "{{ n }",
    "{% if n",
    "{{ 'abc }}",
    "{{ ) }}",
    "{{ (1 }}",
    "{{ [1) }}",
    "{{ }}",
    "{{ 1 2 }}",
    "{{ n. }}",
    "{{ n.1.5 }}",
    "{{ 1.5.x }}",
    "{{ ! }}",
    "{{ a b }}",
    "{{ n | }}",
    "{{ | n }}",
    "{{ f(,) }}",
    "{{ dict(a=1, 2) }}",
    "{{ 007 }}",
    "{{ not }}",
    "{{ n is }}",
    "{{ if }}",
    "{{ '\\x4' }}",
    "{{- n -}}{{- n -}}",
    "\u3000{%- if t %}\u00a0x\u00a0{%- endif %}",
    "  {%- if t %}\n\n  x\n\n  {%- endif %}\n\n",
    "{% if t %}\n\n  x{% endif %}",
    "    {% for x in l %}\n    {{ x }}\n    {% endfor %}\n",
    "{% for x in l -%}\n    {{ x }}\n{%- endfor %}",
    "{%for x in l%}{{x}}{%endfor%}",
    "{% if 'a' == \"a\" %}{{ \"x\n y\" }}{% endif %}",
]

# White space around raw blocks, comments and tags, with every sign that keeps or strips it: one in 53 of all.
AROUND = [
    f"{before}{opening}{inner}{closing}{after}"
    for before in ("", "a", "a\n  ", "a x \n\t", "a\n", "{# c #}\n", "{% set q = 1 %}\n  ")
    for opening, closings in (
        *((f"{{%{a} raw {b}%}}", "raw") for a in ("", "-", "+") for b in ("", "-")),
        *((f"{{%{a} if t {b}%}}", "if") for a in ("", "-", "+") for b in ("", "-", "+")),
        *((f"{{#{a} c {b}#}}", "") for a in ("", "-", "+") for b in ("", "-", "+")),
    )
    for inner in ("r", "\n  r\n  ", "\n", "  ")
    for closing in ([f"{{%{a} end{closings} {b}%}}" for a in ("", "-", "+") for b in ("", "-", "+")] if closings else [""])
    for after in ("e", "\ne", "  \n e", "\n\n  {% if t %}z{% endif %}", "\n  {% raw %}\n{% endraw %}\nf", "\n{{ n }}\n\n")
]
SNIPPETS += AROUND[::53]

SNIPPETS += [
    # numbers behind a dot, and escapes that end in time
    "{{ [[1, 2], [3, 4]].1.0 }}",
    "{{ [[1, 2], [3, 4]].1.0 + 1.5 }}",
    "{{ '\\1234' }}{{ '\\12' }}{{ '\\0' == '\\x00' }}{{ '\\08' | length }}",
    "{{ '\\x414' }}{{ '\\u00e91' }}{{ '\\U0001F6421' }}",
]

SNIPPETS += [
    # groups, batches, slices
    *["{{ %s }}" % x for x in (
        "l | batch(2) | list", "l | batch(2, 'f') | list", "l | batch(0) | list", "s | batch(5) | map('join') | list", "l | slice(2) | list",
        "words | slice(3, 'f') | list", "l | slice(0) | list", "l | slice(-1) | list", "people | groupby('age')", "people | groupby('age') | map(attribute='grouper') | list",
        "(people | groupby('age'))[1].list | length", "people | groupby('tags', default='none')", "words | map('lower') | groupby(0) | list", "words | groupby('x')",
        "[{'k': 'a'}, {'k': 'A'}, {'k': 'b'}] | groupby('k')", "[{'k': 'a'}, {'k': 'A'}] | groupby('k', case_sensitive=true)", "people | groupby('age', default=1) | first | last",
    )],
    # shortening, wrapping
    *["{{ %s }}" % x for x in (
        "s | truncate(5)", "s | truncate(9)", "s | truncate(7, true)", "s | truncate(6, true, '..', 0)", "s | truncate(length=3, end='')", "s | truncate(2)", "s | truncate(5, leeway=-1)",
        "u | truncate(5, true, '…', 0)", "l | truncate(5)", "missing | truncate", "'aaa bbb ccc ddd' | truncate(10, false, '...', 0)",
        "'The quick brown fox -- jumps well-known over' | wordwrap(10)", "'aaaaaaaaaaaa bb' | wordwrap(5)", "'aaaaaaaaaaaa bb' | wordwrap(5, false)", "lines | wordwrap(3)",
        "'a-b-c-d-e-f-g half-baked-ideas' | wordwrap(8)", "'half-baked-ideas' | wordwrap(8, true, '|', false)", "'aa--bb cc---dd e--' | wordwrap(3)", "'  x   yy    z' | wordwrap(4)",
        "u | wordwrap(4, wrapstring='/')", "s | wordwrap(0)", "'' | wordwrap(0)", "5 | wordwrap", "'x-' * 8 | wordwrap(5)", "('--' ~ 'abcdefgh') | wordwrap(4)",
    )],
    # addresses, HTML, sizes
    *["{{ %s }}" % x for x in (
        "'a b/ä&?=' | urlencode", "{'a b': '/ &', 'n': 1} | urlencode", "[('x', 'y z'), (1, none)] | urlencode", "5 | urlencode", "none | urlencode", "missing | urlencode", "[1] | urlencode", "'~-._+' | urlencode",
        "html | striptags", "'<p>a  <!-- <b> -->b</p>\n c' | striptags", "'a < b > c' | striptags", "'<x' | striptags", "'&lt;&amp;&#39;&#x41;&eacute;&nosuch;' | striptags", "5 | striptags",
        "{'a': 1, 'b': none, 'c': '<', 'd': missing} | xmlattr", "{'a': 1, 'b': '\"'} | xmlattr(false)", "{} | xmlattr", "{'a b': 1} | xmlattr", "{1: 1} | xmlattr", "l | xmlattr",
        "1 | filesizeformat", "0 | filesizeformat", "999 | filesizeformat", "1000 | filesizeformat", "1023 | filesizeformat(true)", "1024 | filesizeformat(true)", "123456789 | filesizeformat",
        "1e30 | filesizeformat", "'1500' | filesizeformat", "-5 | filesizeformat", "1.5 | filesizeformat", "'x' | filesizeformat", "2 ** 40 | filesizeformat(binary=true)", "true | filesizeformat", "none | filesizeformat",
    )],
    # pprint
    *["{{ %s }}" % x for x in (
        "d | pprint", "people | pprint", "words | pprint", "(1,) | pprint", "[[words, words], {'k': words, 1: people}] | pprint", "(s * 9) | pprint", "[s * 9] | pprint", "{'key': s * 9} | pprint",
        "(lines * 9) | pprint", "missing | pprint", "'' | pprint", "range(3) | pprint", "{'b': [1] * 40, 'a': (2,) * 40} | pprint", "['x' * 90] | pprint", "[html | safe] | pprint",
    )],
    # cycler, joiner, printing, self
    "{% set c = cycler('a', 'b') %}{% for x in l %}{{ c.next() }}{{ c.current }}{% endfor %}{{ c.pos }}{{ c.items }}{{ c.reset() }}{{ c.current }}",
    "{{ cycler() }}",
    "{% set j = joiner('; ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}{{ j.used }}{{ j.sep }}",
    "{% set j = joiner() %}{{ j() }}|{{ j() }}",
    *["{{ %s }}" % x for x in (
        "range(3)", "range(1, 9, 2)", "range(9)[2:5]", "range(9)[::-2]", "namespace(a=1, b='x')", "[namespace(b=1)]", "{'r': range(2)}", "[html | safe]", "['<b>' | safe, 'x']",
        "self", "self.nope is defined", "super()",
    )],
    "{% set ns = namespace(a=1) %}{% set ns.me = ns %}{{ ns.me is sameas ns }}{{ namespace() }}",
    "{% macro m() %}{% endmacro %}{{ m }}{{ [m] }}{% for x in l %}{{ loop }}{% endfor %}",
    # blocks
    "{% block a %}A{{ n }}{% endblock %}|{{ self.a() }}",
    "{% block a %}{% block b %}x{% endblock b %}{% endblock a %}{{ self.b() }}{{ self.c() }}",
    "{% set v = 1 %}{% block a %}{{ v }}{% set v = 2 %}{{ v }}{% endblock %}{{ v }}",
    "{% for x in l %}{% block a %}[{{ x }}]{% endblock %}{% endfor %}",
    "{% for x in l %}{% block a scoped %}[{{ x }}]{% endblock %}{% endfor %}",
    "{% block a %}{% endblock %}{% block a %}{% endblock %}",
    "{% block a required %}{% endblock %}",
    "{% block a %}{{ super() }}{% endblock %}",
    "{% for x in l %}{% block a %}{% break %}{% endblock %}{% endfor %}",
    "{% block a %}x{% endblock b %}",
    # recursive loops
    "{% for x in [[1, [2]], [3]] recursive %}<{{ loop.depth }}{{ loop.depth0 }}{{ loop.index }}{% if x is iterable %}{{ loop(x) }}{% else %}{{ x }}{% endif %}>{% endfor %}",
    "{% for p in [{'n': 1, 'c': [{'n': 2, 'c': []}]}] recursive %}{{ p.n }}({{ loop(p.c) }}){% else %}-{% endfor %}",
    "{% for x in [[1, 2], [3, 4]] if x != 3 recursive %}{{ loop(x) if x is iterable else x }};{% endfor %}",
    "{% for x in l %}{{ loop(l) }}{% endfor %}",
    "{% for x in l recursive %}{{ loop(5) }}{% endfor %}",
    # autoescape
    "{% autoescape false %}{{ html }}{% set z = 1 %}{% endautoescape %}{{ z }}",
    # formats
    *["{{ %s }}" % x for x in [
        f"'{spec}'.format({value})" for spec in (
            "{:>7}|", "{:<7}|", "{:^8}|", "{:*^9}", "{:07}", "{:+}", "{: }", "{:,}", "{:_}", "{:.2}", "{:.0}", "{:.3f}", "{:9.2e}", "{:G}", "{:x}", "{:#X}", "{:#o}", "{:b}", "{:#012b}", "{:_x}", "{:%}", "{:.1%}",
            "{:s}", "{:d}", "{:n}", "{:c}", "{:=+8}", "{:é>9}", "{:012,}", "{:<07}", "{!r:>12}", "{!s}", "{!a}", "{:q}", "{:", "{:.f}", "{:#.0f}")
        for value in ("n", "-1234567", "f", "s", "true", "none", "'é'", "-0.0", "1e20", "12345.678")
    ]],
    *["{{ %s }}" % x for x in (
        "'{0[a]} {0[b]}'.format({'a': 1, 'b': 2})", "'{x.a}'.format(x={'a': 3})", "'{[0]}'.format(l)", "'{0[1]}'.format(l)", "'{0.nope}'.format(l)", "'{:{}}'.format(5, 9)", "'{:{w}.{p}f}'.format(2.5, w=8, p=3)",
        "'{}{0}'.format(1)", "'{0}{}'.format(1)", "'{{}}'.format(1)", "'{'.format(1)", "'}'.format(1)", "'{}'.format()", "'{!z}'.format(1)", "'{:>{}}'.format('a', 4)", "'{a}{b}'.format(a=1)", "'{:5}'.format(l)",
        "'%#x %#o %+d % d %05d %-5d|' % (255, 8, 3, 4, 5, 6)", "'%c%c' % ('a', 98)", "'%a' % 'é'", "'%*d|%-*d|' % (5, 1, 4, 2)", "'%.*f' % (2, 3.14159)", "'%ld %hd' % (1, 2)", "'%#.3g %#x' % (2, 0)", "'%#08x' % 255",
        "'%e %E %g %G' % (1.5, 1e10, 1e-5, 1e20)", "'%c' % 'ab'", "'%c' % -1", "'%.3d' % 5", "'%i %u' % (1.9, -2)", "'%z' % 1",
        "'a\tb\n\tc'.expandtabs(4)", "'a\tb'.expandtabs()", "'a\tb'.expandtabs(0)", "'aé'.isascii()", "''.isascii()", "'a\n'.isprintable()", "''.isprintable()",
    )],
    # generators: errors are raised where what they made is used up
    *["{{ %s }}" % x for x in (
        "'y' if (n | map('upper')) else 'n'", "n | select('odd') | first", "[1, 'a'] | map('abs') | first", "[1, 'a'] | map('abs') | list", "([1, 'a'] | select('odd')) is defined", "(l | map('nope')) is defined",
        "(l | map(attribute='a.b', nope=1)) is defined", "(n | unique) is iterable", "(n | batch(2)) is defined", "(l | batch('x')) is defined", "l | batch('x') | list", "(l | slice(0)) is defined", "l | slice(0) | list", "(n | items) is defined", "n | items | list",
        "[[1], 2] | map('first') | first", "[[1], 2] | map('first') | list", "(n | map) is true", "[[], {}] | unique | list", "([[], {}] | unique) is defined", "[1, 'a'] | map('abs') | map('string') | first",
    )],
    *["{{ %s }}" % x for x in ("'%x %d' % (huge, huge)", "'%%' % (l | select)", "'%%' % l", "'%%' % range(2)", "'%%' % d.items()")],
    "{% set g = n | select %}{% for x in e %}{{ g | list }}{% endfor %}done",
    "{% set g = [1, 'a'] | map('abs') %}{{ g | first }}{{ 'x' if g else 'y' }}",
]
