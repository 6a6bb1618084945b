"""partita batch on lines of OpenAI's batch files."""

import json

from program import FRANCE, BatchTest, main, run, run_json

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def line(custom_id, url, **body):
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": "any", **body}}


def user(text):
    return [{"role": "user", "content": text}]


class OpenAi(BatchTest):
    def answer(self, row):
        self.assertIsNone(row["error"])
        self.assertEqual(set(row), {"id", "custom_id", "response", "error"})
        self.assertEqual(row["response"]["status_code"], 200)
        return row["response"]["body"]

    def refusal(self, row):
        self.assertEqual(row["response"]["status_code"], 400)
        self.assertEqual(row["response"]["body"]["error"]["message"], row["error"]["message"])
        self.assertEqual(row["error"]["code"], "invalid_request")
        return row["error"]["message"]

    def test_a_chat(self):
        messages = [{"role": "system", "content": "Be short."}, *user("Say hello.")]
        parts = [{"type": "text", "text": "Say "}, {"type": "text", "text": "hello."}]
        out = self.batch([
            line("a", CHAT, messages=messages, max_tokens=12, temperature=0),
            line("b", CHAT, messages=[{"role": "developer", "content": "Be short."}, *user(parts)],
                 max_completion_tokens=12, temperature=0, n=1, stream=False, tools=[], response_format={"type": "text"}),
            line("c", CHAT, messages=messages, max_tokens=2, temperature=0, stop=None),
            line("d", CHAT, messages=messages, max_tokens=12, temperature=0, stop=["there"]),
        ])
        rendered = run("template", stdin=json.dumps({"messages": messages, "add_generation_prompt": True})).stdout
        ids = run_json("tokenize", "--no-bos", stdin=rendered)["ids"]
        alone = run_json("generate", "--ids", "-p", ",".join(map(str, ids)), "-n", 12, "--greedy")
        first = self.answer(out[0])
        self.assertEqual(out[0]["custom_id"], "a")
        self.assertEqual(first["object"], "chat.completion")
        self.assertEqual(first["model"], "SmolLM2-135M-Instruct.Q4_1")
        self.assertEqual(first["choices"], [{
            "index": 0, "message": {"role": "assistant", "content": alone["text"], "refusal": None}, "logprobs": None,
            "finish_reason": {"eos": "stop", "length": "length"}[alone["finish"]]}])
        self.assertEqual(first["usage"], {"prompt_tokens": len(ids), "completion_tokens": len(alone["ids"]),
                                          "total_tokens": len(ids) + len(alone["ids"])})
        self.assertEqual(self.answer(out[1])["choices"], first["choices"])
        self.assertEqual(self.answer(out[2])["choices"][0]["finish_reason"], "length")
        stopped = self.answer(out[3])["choices"][0]
        self.assertEqual(stopped["finish_reason"], "stop")
        self.assertEqual(stopped["message"]["content"], alone["text"].partition("there")[0])

    def test_a_completion(self):
        ids = run_json("tokenize", stdin=FRANCE)["ids"]
        sampled = {"max_tokens": 6, "temperature": 0.8, "top_p": 0.9, "seed": 3, "frequency_penalty": 0.5,
                   "presence_penalty": 0.25, "logit_bias": {"7042": -100}}
        out = self.batch([line(0, TEXT, prompt=FRANCE), line("text", TEXT, prompt=FRANCE, **sampled),
                          line("list", TEXT, prompt=[FRANCE], **sampled), line("ids", TEXT, prompt=ids, **sampled),
                          line("ids in a list", TEXT, prompt=[ids], echo=False, best_of=1, suffix=None, **sampled),
                          {"id": "plain", "prompt": FRANCE, **sampled}], "--chat")
        self.assertIn("custom_id", self.refusal(out[0]))
        alone = run_json("generate", "-p", FRANCE, "-n", 6, "--temperature", 0.8, "--top-p", 0.9, "--seed", 3,
                         "--frequency-penalty", 0.5, "--presence-penalty", 0.25, "--logit-bias", "7042:-100")
        for row in out[1:5]:
            body = self.answer(row)
            self.assertEqual(body["object"], "text_completion")
            self.assertEqual(body["choices"][0]["text"], alone["text"])
            self.assertEqual(body["usage"]["prompt_tokens"], len(ids))
        self.assertEqual(out[5]["id"], "plain")  # which --chat is for
        self.assertIsNone(out[5]["error"])

    def test_log_probabilities(self):
        asked = {"max_tokens": 4, "temperature": 0}
        out = self.batch([line("chat", CHAT, messages=user("Say hello in French: é."), logprobs=True, top_logprobs=2, **asked),
                          line("text", TEXT, prompt=FRANCE, logprobs=2, **asked),
                          line("none", CHAT, messages=user("x"), logprobs=False, top_logprobs=0, **asked)])
        alone = run_json("generate", "-p", FRANCE, "-n", 4, "--greedy", "--logprobs", 2)
        pieces = [run("detokenize", i).stdout.decode() for i in alone["ids"]]
        text = self.answer(out[1])["choices"][0]["logprobs"]
        self.assertEqual(text["tokens"], pieces)
        self.assertEqual(text["token_logprobs"], [t["logprob"] for t in alone["logprobs"]])
        self.assertEqual(text["text_offset"], [len("".join(pieces[:i])) for i in range(4)])
        self.assertEqual([sorted(t.values()) for t in text["top_logprobs"]],
                         [sorted(p for _, p in t["top"]) for t in alone["logprobs"]])
        chat = self.answer(out[0])
        content = chat["choices"][0]["logprobs"]["content"]
        self.assertEqual(len(content), chat["usage"]["completion_tokens"])
        for token in content:
            self.assertEqual(len(token["top_logprobs"]), 2)
            self.assertEqual(token["top_logprobs"][0]["logprob"], token["logprob"])  # greedy
            self.assertEqual(bytes(token["bytes"]).decode(errors="replace"), token["token"])
        self.assertIsNone(self.answer(out[2])["choices"][0]["logprobs"])

    def test_tools_go_to_the_template(self):
        """Each line has the prompt of the text that the template makes of it."""
        (self.dir / "t.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}{{ tools | tojson if tools }}")
        asked = {"messages": user("x"), "max_tokens": 3, "temperature": 0, "logprobs": True}
        out = self.batch([line("tools", CHAT, tools=[TOOL], **asked), line("auto", CHAT, tools=[TOOL], tool_choice="auto", **asked),
                          line("none", CHAT, tools=[TOOL], tool_choice="none", **asked),
                          line("empty", CHAT, tools=[], tool_choice="auto", **asked)],
                         "--chat-template", self.dir / "t.jinja")
        texts = ["x" + json.dumps([TOOL])] * 2 + ["x"] * 2
        for row, text in zip(out, texts):
            body = self.answer(row)
            self.assertEqual(body["usage"]["prompt_tokens"], len(run_json("tokenize", "-p", text)["ids"]))
            self.assertEqual(body["choices"][0]["message"]["content"],
                             run_json("generate", "-p", text, "-n", 3, "--greedy")["text"])

    def test_what_is_refused(self):
        chat = {"messages": user("x"), "max_tokens": 1}
        refused = {
            '"n" is 2': line("n", CHAT, n=2, **chat),
            '"tools"': line("tools", CHAT, tools=[{"type": "function"}], **chat),
            '"tool_choice" is "required"': line("choice", CHAT, tools=[TOOL], tool_choice="required", **chat),
            '"functions"': line("functions", CHAT, functions=[{"name": "f"}], **chat),
            '"tools" is for the chat template': line("no chat", TEXT, prompt="x", tools=[TOOL], max_tokens=1),
            '"stream"': line("stream", CHAT, stream=True, **chat),
            '"response_format"': line("json", CHAT, response_format={"type": "json_object"}, **chat),
            '"top_logprobs"': line("top", CHAT, top_logprobs=2, **chat),
            '"logprobs"': line("logprobs", CHAT, logprobs=3, **chat),
            '"messages"': line("no messages", CHAT, prompt="x"),
            '"content"': line("image", CHAT, messages=user([{"type": "image_url", "image_url": {"url": "x"}}])),
            '"prompt"': line("two prompts", TEXT, prompt=["x", "y"]),
            '"echo"': line("echo", TEXT, prompt="x", echo=True),
            '"best_of"': line("best_of", TEXT, prompt="x", best_of=3),
            '"/v1/embeddings"': line("url", "/v1/embeddings", input="x"),
            '"method"': {**line("get", CHAT, **chat), "method": "GET"},
            '"body"': {"custom_id": "no body", "url": CHAT},
            '"temperature"': line("hot", CHAT, temperature="hot", **chat),
            "8192": line("long", TEXT, prompt="word " * 9000),
        }
        out = self.batch([*refused.values(), {"body": {}}])
        for words, row, written in zip(refused, refused.values(), out):
            with self.subTest(words):
                self.assertEqual(written["custom_id"], row["custom_id"])
                self.assertIn(words, self.refusal(written))
        self.assertEqual((out[-1]["custom_id"], out[-1]["line"]), (None, len(out)))
        self.assertIn("custom_id", self.refusal(out[-1]))
        self.assertEqual(len({row["id"] for row in out}), len(out))

    def test_an_unknown_key_is_reported_and_others_are_not(self):
        self.batch([line("a", TEXT, prompt="x", max_tokens=1, user="u", metadata={"a": 1}, store=True, min_p=0.1, colour=1)])
        self.assertIn("colour", self.stderr)
        self.assertEqual(self.stderr.count("is not an option"), 1)

    def test_files_that_mix_both_kinds_go_on_to_equal_bytes(self):
        rows = [row for i in range(6) for row in (line(f"r{i}", TEXT, prompt=FRANCE, max_tokens=3),
                                                  {"id": i, "prompt": FRANCE, "n": 3})]
        rows += [line("r0", CHAT, messages=user("x")), {"id": "r1", "prompt": "x"}, line("3", TEXT, prompt="x", max_tokens=1)]
        whole = self.batch(rows)
        self.assertIn("repeats", self.refusal(whole[12]))
        self.assertIn("repeats", whole[13]["error"])  # one name, whatever the kind of row
        self.assertIsNone(whole[14]["error"])         # the text "3" is not the number 3
        text = self.output.read_text()
        for kept in (1, 5, 13):
            self.output.write_text("".join(text.splitlines(True)[:kept]) + '{"id":"batch_req_0')
            self.assertEqual(self.batch_json()["skipped"], kept)
            self.assertEqual(self.output.read_text(), text)


if __name__ == "__main__":
    main()
