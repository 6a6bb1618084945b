"""Strings that tokenizers get wrong: the input of record_tokenizer.py."""

import random

SPACES = [
    "", " ", "  ", "   ", "    ", " " * 7, " " * 31, " " * 32, " " * 33, " " * 100, "\t", "\t\t", "\t" * 31, "\t" * 40,
    "\n", "\n\n", "\n\n\n", "\n" * 31, "\n" * 40, "\r", "\r\n", "\r\n\r\n", "\n\r", "\v", "\f", "\x1c", "\x1f", "\x85",
    " \n", "\n ", " \n ", "  \n  ", "\n  \n", "\t\n", "\n\t", " \t ", "\t \t", "a\nb", "a\n\nb", "a \nb", "a\n b", "a  \n\n  b",
    " hello", "hello ", " hello ", "  hello", "hello  ", "  hello  ", "hello world", "hello  world", "hello   world",
    "hello\tworld", "hello\nworld", "hello\r\nworld", "hello \r\n world", "hello\u00a0world", "\u00a0", "\u00a0\u00a0",
    " \u00a0 ", "a\u2003b", "a\u2009b", "a\u3000b", "\u3000\u3000", "a\u1680b", "a\u180eb", "\u180e\u180e", "a\u2028b",
    "a\u2029b", "a\u202fb", "a\u205fb", "a\u200bb", "a\u200c\u200db", "a\u2060b", "\ufeff", "\ufeffhello", "hello\ufeff",
    "   leading and trailing   ", "tab\tseparated\tvalues\n1\t2\t3\n", "line one\r\nline two\r\n", "x    = 1", "    return x\n",
]

WORDS = [
    "I'm", "I'M", "you're", "YOU'RE", "we've", "WE'VE", "he'll", "HE'LL", "I'd", "I'D", "it's", "IT'S", "don't", "DON'T",
    "'s", "'S", "'t 're 've 'm 'll 'd", "'S'T'RE", "O'Neill's", "rock'n'roll", "\u2019s it\u2019s", "'\u017f '\u017fx", "a'sb",
    "''s", " 's", "'", "''", "'''", "hello'", "'hello'", "can't've", "l'\u00e9t\u00e9", "d'\u00e9cole", "HELLO", "Hello", "hELLO",
    "camelCaseWord", "PascalCaseWord", "snake_case_word", "kebab-case-word", "SCREAMING_SNAKE", "x86_64", "utf8", "H2O",
    "supercalifragilisticexpialidocious", "antidisestablishmentarianism", "Donaudampfschifffahrtsgesellschaft",
    "a" * 100, "ab" * 200, "z" * 1000, "abcdefghijklmnopqrstuvwxyz" * 20, "\u00df\u1e9e", "na\u00efve caf\u00e9", "\ufb01\ufb02 \ufb06",
]

NUMBERS = [
    "0", "1", "12", "123", "1234", "12345", "1234567890", "3.14159", "-1", "+1", "1e10", "1,000,000", "0x1F", "0b1010",
    "1st 2nd 3rd", "50%", "$100", "\u20ac99.99", "2026-11-22", "12:34:56", "192.168.0.1", "+44 20 7946 0958", "1/2", "\u00bd \u00bc",
    "x\u00b2 + y\u00b3", "\u2460\u2461\u2462", "\u2167", "\u0661\u0662\u0663", "\u0967\u0968\u0969", "\uff11\uff12\uff13", "\U0001d7d9\U0001d7da", "a1b2c3", "1a2b3c",
    "  1  2  3  ", " 1", "1 ", "12 34", "000", "9" * 50, "v1.2.3-rc4", "\u4e00\u4e8c\u4e09", "\u3007",
]

SCRIPTS = [
    "\u4f60\u597d\u4e16\u754c", "\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u6211\u7231\u5317\u4eac\u5929\u5b89\u95e8\u3002", "\u4e2d\u6587 and English \u6df7\u5408", "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c", "\u30c6\u30b9\u30c8", "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4",
    "\u1112\u1161\u11ab\u1100\u1173\u11af", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "\u0627\u0644\u0633\u0651\u064e\u0644\u064e\u0627\u0645\u064f", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", "\u05d1\u05bc\u05b0\u05e8\u05b5\u05d0\u05e9\u05b4\u05c1\u05d9\u05ea", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01", "\u0e01\u0e33\u0e25\u0e31\u0e07", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u03cc\u03c3\u03bc\u03b5", "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0", "\u0532\u0561\u0580\u0587",
    "\u12a0\u121b\u122d\u129b", "\u0b95\u0bcd\u0bb7", "\u1780\u17d2\u1798\u17c2\u179a", "\u0f56\u0f7c\u0f51", "Ti\u1ebfng Vi\u1ec7t", "Tie\u0302\u0301ng Vie\u0323\u0302t", "T\u00fcrk\u00e7e \u0130stanbul \u0131", "Z\u030c\u0301\u0323\u0330a\u0300\u0301\u0302l\u0334g\u0335o",
    "e\u0301", "\u00e9", "A\u030a \u212b \u00c5", "\u0301 alone", "a\u0300" * 20, "\U00010330\U00010331", "\U000131a0", "\U0001d400\U0001d401", "\ud55c\uae00\u3161", "\u115f\u1160",
    "\U00020000\U0002a6df", "\U00031350\U000323af", "\U0001e4d0\U00010d4a", "\U00010d40\U00010d49", "\u202eRTL\u202c", "\u200eLTR\u200f",
]

SYMBOLS = [
    "\U0001f600", "\U0001f600\U0001f601\U0001f602", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\u2764\ufe0f", "1\ufe0f\u20e3",
    "hi \U0001f600 there", "\U0001f600hello", "hello\U0001f600", "\u2192 \u21d2 \u2260 \u2264", "\u222b\u2202x", "\u00a9 \u00ae \u2122", "\u201cquoted\u201d \u2018single\u2019", "\u2026", "...", "....", "\u2014", "--", "---",
    "!", "!!", "?!", "!?!?!?", "#hashtag", "@mention", "a@b.com", "{}", "[]", "()", "<>", "<<>>", "</>", "**bold**", "__init__", "~~x~~", "`code`",
    "```python\nprint('hi')\n```", "\\n", "\\\\", "/", "//", "a/b/c", "C:\\path\\to", "&amp;", "%20", "^_^", "|", "||", "$$", "a+b=c", "x=>y", "->", "==", "!==",
    "\u2500\u2502\u250c", "\u2588\u2591", "\u28ff", "\ufffd", "\ufffd\ufffd", "a\ufffdb", "\ue000\uf8ff", "\U000f0000", "\U0010ffff", "\ufffe\uffff", "\x00", "a\x00b", "\x00\x00", "\x01\x02\x03\x05\x07\x08",
    "\x7f", "\x80\x9f", "a\x04b", "1\x16\x1d2", "x\U00040000y\U000bffffz", "\u00ad", "soft\u00adhyphen", "\u2580\u2582",
]

CODE = [
    "https://example.com/path?query=1&x=%20#frag", "http://localhost:8080", "user.name+tag@sub.example.co.uk", "git commit -m \"fix: it\"",
    "def f(x):\n    return x**2\n", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}", "#include <vector>\nint main() { return 0; }\n",
    "SELECT * FROM t WHERE a = 'b';", "{\"key\": [1, 2.5, null, true]}", "<html><body><p class=\"x\">Hi</p></body></html>", "<table><tr><td>1</td></tr></table>",
    "<h1>Title</h1>\n<ul>\n  <li>one</li>\n</ul>", "<b>bold</b><i>it</i>", "<tablex>", "< table >", "<TABLE>", "if x==1:\n\n\n\tpass", "a;b;c;", "x = [i for i in range(10)]",
    "\\begin{equation} e^{i\\pi} + 1 = 0 \\end{equation}", "rm -rf /tmp/*", "key=value; other=\"a b\"", "0.1 + 0.2 != 0.3", "let s = 'it''s';", "\t\t\tif (a) {\n\t\t\t\tb();\n\t\t\t}\n",
    "def  g( ) :\n        x  =  1\n\n\n\n        return   x", "# comment\n\n## heading\n\n- item\n  - sub\n", "| a | b |\n|---|---|\n| 1 | 2 |\n",
]

SPECIAL = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n", "a<|im_end|>b", " <|im_end|> ", "<|im_end|><|im_end|>", "<|im_end|", "|im_end|>", "<|im_end|>>",
    "<<|im_end|>", "<repo_name>x<file_sep>y", "<reponame><repo_name>", "<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<bos>hello<eos>", "<start_of_turn>user\nHi<end_of_turn>\n", "<unused0><unused99>", "<unused1>0",
    "[multimodal]", "<start_of_image>", "<s>", "</s>", "<s>hello</s>", "<0x0A>", "<0x41>", "<|eot_id|>", "<|begin_of_text|>", "[INST] hi [/INST]", "<bos> x", "x <bos>", "\n<eos>\n", "<bos>  two", "<start_of_turn>\n\n\nx",
]

ALL = SPACES + WORDS + NUMBERS + SCRIPTS + SYMBOLS + CODE + SPECIAL

# The mark that SentencePiece puts for a space, in the text itself: its ids cannot tell the two apart.
MARKS = ["\u2581", "\u2581\u2581", "a\u2581b", " \u2581 ", "\u2581hello", "hello\u2581world\u2581"]

RANGES = [(0x20, 0x7E)] * 6 + [
    (0x09, 0x0D), (0x20, 0x20), (0x20, 0x20), (0x30, 0x39), (0xA0, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
    (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x2000, 0x206F), (0x2070, 0x218F), (0x2190, 0x22FF),
    (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x10000, 0x1FFFF), (0x1F300, 0x1FAFF),
    (0x20000, 0x3FFFF), (0xF0000, 0x10FFFF)]


def random_strings(count, seed):
    """Runs of characters of one range each, joined."""
    rng = random.Random(seed)
    strings = []
    for _ in range(count):
        text = ""
        for _ in range(rng.randint(1, 8)):
            low, high = rng.choice(RANGES)
            text += "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6)))
        strings.append(text.replace("\u2581", "x"))
    return strings
