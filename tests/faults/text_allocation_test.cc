// The nth allocation fails in what reads JSON: templates with their contexts, and checkpoints that become
// models. And what returns no error takes no memory.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/allocations.h"
#include "tests/api/convert/checkpoints.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/faults/sweep.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;

/// A context with every kind of value, long texts, and objects within objects.
const std::string kContext = R"({"messages":[
  {"role":"system","content":"be short, and say what is asked for and nothing that is not"},
  {"role":"user","content":"hello \u00e9\ud83d\ude00 \"quoted\" \\ and more than a string holds within itself"},
  {"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"weather",
   "arguments":{"city":"Z\u00fcrich","days":[1,-2,3.5,1e300,18446744073709551615],"deep":{"er":{"est":[[],{}]}}}}}]}],
 "tools":[{"name":"weather","parameters":{"type":"object","required":["city","days"]}},{"name":"none"}],
 "documents":[{"title":"b","n":2},{"title":"a","n":1},{"title":"c","n":2}],
 "numbers":[3,1,2],"flag":true,"off":false,"nothing":null,"again":1,"again":2,"add_generation_prompt":true})";

/// Templates that go through most of the interpreter.
const std::string kTemplates[] = {
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m['content'] or '' }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "{{ messages }}{{ messages | tojson }}{{ tools | tojson(indent=2) }}{{ again ~ flag ~ nothing }}",
    "{% macro walk(v, depth=0) %}{% if v is mapping %}{% for k, w in v.items() %}{{ k }}:{{ walk(w, depth + "
    "1) }},"
    "{% endfor %}{% elif v is string %}{{ v | trim | upper | replace('A', 'bb') }}{% elif v is iterable %}"
    "[{% for w in v %}{{ loop.index }}{{ walk(w, depth=depth + 1) }}{% endfor %}]{% else %}{{ v }}{% endif "
    "%}{{ caller() if caller is defined else '' }}"
    "{% endmacro %}{{ walk(messages) }}{% call walk(tools) %}x{% endcall %}",
    "{% set ns = namespace(n=0, text='') %}{% for d in documents | sort(attribute='title') if d.n > 0 %}"
    "{% set ns.n = ns.n + d.n %}{% set ns.text = ns.text ~ d.title ~ loop.cycle('-', '+') %}{% else %}none{% "
    "endfor %}"
    "{{ ns.n }}{{ ns.text }}{{ documents | map(attribute='title') | join(', ') }}"
    "{{ documents | selectattr('n', 'equalto', 2) | list | length }}{{ numbers | sort | reverse | list }}"
    "{{ numbers | sum }}{{ numbers[::-1] }}{{ dict(a=1, b=[2]) }}{{ '%s is %5.2f' % ('pi', 3.14159) }}",
    "{% set words = messages[1].content.split(' ') %}{{ words | unique | list }}{{ words[-1].title() }}"
    "{{ 'abc' * 30 }}{% filter upper %}{{ words[0] }} long enough to take memory of its own{% endfilter %}"
    "{{ messages[0].content | wordcount }}{{ 7 // 2 }}{{ 2 ** 10 }}{{ 1.5 | round }}{{ x | default('no x') }}"
    "{{ strftime_now('%d %b %Y') | length }}{{ messages[1].content | indent(4) | escape }}",
};

Result<std::string> error_or(const Result<std::string>& result) {
  if (result || result.error().code == ErrorCode::kOutOfMemory) return result;
  return result.error().message;
}

TEST_CASE("Memory runs out while a template is rendered") {
  for (std::size_t i = 0; i < std::size(kTemplates); ++i) {
    sweep_allocations("render template " + std::to_string(i),
                      [&] { return Model::render(kTemplates[i], kContext); });
  }
  const ChatModelFile file;
  OpenOptions options;
  options.text_only = true;
  const Model model = must(Model::open(file.path(), options));
  sweep_allocations("render the model's own", [&] { return model.render(kContext); });
}

TEST_CASE("Memory runs out while a template or its context is refused") {
  const auto refused = [](const std::string& source, const std::string& context) {
    sweep_allocations(source + " " + context.substr(0, 20),
                      [&] { return error_or(Model::render(source, context)); });
  };
  refused("{{ messages | no_such_filter }}", kContext);
  refused("{% for m in messages %}{{ m.content.no_such_method() }}{% endfor %}", kContext);
  refused("{{ raise_exception('the roles must take turns, and here are two that do not') }}", kContext);
  refused("{% if %}", kContext);
  for (const char* context :
       {R"({"a":[{"b":["a text that is long enough",{"c":[1,2,)", R"({"a":[{"b":1e400}]})",
        R"([[["no object"]]])", R"({"a":[[["\ud800"]]]})", R"({"a":[{"b":{"c":tru}}]})"}) {
    refused("{{ a }}", context);
  }
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void sweep_convert(const Checkpoint& checkpoint, const std::string& type, std::size_t positions) {
  checkpoint.write();
  ConvertOptions options;
  options.vocabulary = checkpoint.vocabulary();
  options.type = type;
  const std::string directory = checkpoint.directory(), output = checkpoint.output();
  const auto convert_once = [&]() -> Result<std::string> {
    ::unlink(output.c_str());
    auto made = convert(directory, output, options);
    if (!made && ::access(output.c_str(), F_OK) == 0)
      return Error{ErrorCode::kIo, "a failed call left a file"};
    if (!made) return made.error();
    return made->head + std::to_string(made->file_bytes) + " " + std::to_string(made->parameters) + " " +
           std::to_string(made->in_f16.size());
  };
  must(convert_once());
  const std::string expected = contents(output);
  const auto files = [&] {
    return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
  };
  const auto before = files();
  sweep_allocations("convert to " + type, convert_once, {.positions = positions});
  CHECK(files() == before);  // nothing half written beside it
  CHECK(contents(output) == expected);
}

constexpr std::size_t kPositions = 1500;  // each converts twice

TEST_CASE("Memory runs out while a checkpoint is converted") {
  const Checkpoint dense;
  sweep_convert(dense, "q8_0", kPositions);

  Checkpoint adaptive;
  adaptive.set_head({{"kind", "adaptive"}, {"cutoffs", {100, 200}}});
  adaptive.add("lm_head.head.weight", {102, Checkpoint::kHidden});
  adaptive.add("lm_head.tail.0.0.weight", {32, Checkpoint::kHidden});
  adaptive.add("lm_head.tail.0.1.weight", {100, 32});
  adaptive.add("lm_head.tail.1.0.weight", {8, Checkpoint::kHidden});
  adaptive.add("lm_head.tail.1.1.weight", {63, 8});
  std::ofstream(adaptive.directory() + "/chat_template.jinja")
      << "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
  sweep_convert(adaptive, "f16", kPositions / 3);
}

TEST_CASE("Memory runs out while the directory of a checkpoint is opened") {
  Checkpoint checkpoint;
  for (auto& [name, tensor] : checkpoint.tensors) tensor.type = name.size() % 2 == 0 ? "BF16" : "F32";
  checkpoint.write();
  const std::string directory = checkpoint.directory();
  fs::copy(checkpoint.vocabulary(), directory + "/vocabulary.gguf");
  std::ofstream(directory + "/generation_config.json") << R"({"eos_token_id": [1, 2]})";
  OpenOptions options;
  options.threads = 1;
  const auto open = [&]() -> Result<std::string> {
    const auto model = Model::open(directory, options);
    if (!model) return model.error();
    return model->info().head + std::to_string(model->info().bytes_per_token);
  };
  must(open());
  sweep_allocations("open a directory", open, {.positions = kPositions / 3});
}

TEST_CASE("Memory runs out while a checkpoint is refused") {
  const auto refused = [](const Checkpoint& checkpoint) {
    checkpoint.write();
    ConvertOptions options;
    options.vocabulary = checkpoint.vocabulary();
    sweep_allocations("convert what is wrong",
                      [&]() -> Result<std::string> {
                        const auto made = convert(checkpoint.directory(), checkpoint.output(), options);
                        return made ? Result<std::string>("it was converted") : error_or(made.error());
                      },
                      {.positions = kPositions / 3});
  };
  Checkpoint missing;
  missing.tensors.erase("model.norm.weight");
  refused(missing);
  Checkpoint wrong;
  wrong.config["rope_scaling"] = {{"type", "dynamic"}, {"factor", 2}};
  refused(wrong);
  Checkpoint long_text;
  long_text.config["hidden_act"] = std::string(200, 'g');
  refused(long_text);
}

TEST_CASE("What returns no error takes no memory") {
  const ChatModelFile file;
  const Model model = must(Model::open(file.path()));
  Session session = must(model.session());
  Request request;
  request.prompt = "hello hello";
  request.max_tokens = 4;
  Stream stream = must(session.generate(request));
  must(stream.next());
  Batch batch = must(model.batch(2));
  const Batch::Ticket ticket = must(batch.add(request));
  Ensemble ensemble = must(Ensemble::create({{model, 1}}, EnsembleSpace::kLogit));
  static_cast<void>(known_samplers());
  std::size_t seen = 0;
  {
    const test::AllocationWatch watch;
    seen += version().size() + name(Finish::kEos).size() + known_samplers().size() + convert_types().size();
    seen += model.info().layers + model.left_out("hello \xFF") + model.end_ids().size();
    seen += model.piece(ChatVocabulary::kHello).size() + model.piece(-1).size() +
            model.piece(ChatVocabulary::kSize).size();
    seen += stream.ids().size() + stream.prompt_ids().size() + stream.timing().prefill_tokens +
            static_cast<std::size_t>(stream.context_full()) + static_cast<std::size_t>(stream.finish());
    stream.stop();
    seen += session.length() + session.counts().tokens;
    session.set_cancel(nullptr);
    session.set_progress(nullptr);
    session.reset();
    seen += batch.running() + batch.prompt_tokens(ticket) + batch.counts().tokens +
            batch.timing().decode_tokens + static_cast<std::size_t>(batch.full());
    batch.set_cancel(nullptr);
    batch.cancel(ticket);
    ensemble.set_cancel(nullptr);
    ensemble.set_progress(nullptr);
    ensemble.reset();
    CHECK(watch.count() == 0);
  }
  CHECK(seen > 0);
}

TEST_CASE("The texts of tokens are whole after memory ran out while they were put together") {
  const ChatModelFile file;
  for (std::size_t n = 0; n < 40; ++n) {
    CAPTURE(n);
    OpenOptions options;
    options.text_only = true;
    const Model model = must(Model::open(file.path(), options));
    bool failed = false;
    {
      const test::FailingAllocation failing(n, test::Exhaustion::kOnce);
      const auto text = model.text('x');
      failed = !text && text.error().code == ErrorCode::kOutOfMemory;
      if (text) REQUIRE(test::FailingAllocation::attempts_so_far() <= n);
    }
    CHECK(must(model.text('x')) == "x");
    CHECK(must(model.text(ChatVocabulary::kHello)) == "hello");
    CHECK(must(model.text(ChatVocabulary::kEnd)).empty());
    if (!failed) return;  // there are no more allocations
  }
}

}  // namespace
}  // namespace partita::internal::testing
