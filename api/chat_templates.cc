#include "api/chat_templates.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include <nlohmann/json.hpp>

#include "partita/text.hpp"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr const char* kTemplateKey = "tokenizer.chat_template";
constexpr std::string_view kToolUse = "tool_use";

/// The key of another template of a file that has several; "default" is the one without a name.
std::string key_of(std::string_view name) {
  return name == "default" ? kTemplateKey : sentence(kTemplateKey, ".", name);
}

struct BuiltIn {
  std::string_view name;
  std::array<std::string_view, 3>
      marks;  // control tokens of vocabularies that were made for it; none: by name alone
  std::string_view source;
};

constexpr BuiltIn kBuiltIn[] = {
    {"llama3",
     {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
     "{{ bos_token }}{% for message in messages %}"
     "{{ '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\\n\\n' ~ message.content | trim ~ "
     "'<|eot_id|>' }}"
     "{% endfor %}{% if add_generation_prompt %}"
     "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"},
    {"chatml",
     {"<|im_start|>", "<|im_end|>"},
     "{% for message in messages %}"
     "{{ '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}"
     "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"},
    {"gemma",
     {"<start_of_turn>", "<end_of_turn>"},
     "{{ bos_token }}{% set ns = namespace(system='') %}{% for message in messages %}"
     "{% if message.role in ['system', 'developer'] %}{% set ns.system = message.content | trim ~ '\\n\\n' %}"
     "{% else %}{{ '<start_of_turn>' ~ ('model' if message.role == 'assistant' else message.role) ~ '\\n' ~ "
     "ns.system ~ "
     "message.content | trim ~ '<end_of_turn>\\n' }}{% set ns.system = '' %}{% endif %}"
     "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"},
    {"phi",
     {"<|user|>", "<|assistant|>", "<|end|>"},
     "{% for message in messages %}{{ '<|' ~ message.role ~ '|>\\n' ~ message.content ~ '<|end|>\\n' }}{% "
     "endfor %}"
     "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"},
    {"zephyr",
     {"<|user|>", "<|assistant|>"},
     "{% for message in messages %}{{ '<|' ~ message.role ~ '|>\\n' ~ message.content ~ eos_token ~ '\\n' }}"
     "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"},
    {"mistral",
     {"[INST]", "[/INST]"},
     "{{ bos_token }}{% set ns = namespace(system='') %}{% for message in messages %}"
     "{% if message.role in ['system', 'developer'] %}{% set ns.system = message.content ~ '\\n\\n' %}"
     "{% elif message.role == 'assistant' %}{{ ' ' ~ message.content | trim ~ eos_token }}"
     "{% else %}{{ '[INST] ' ~ ns.system ~ message.content ~ '[/INST]' }}{% set ns.system = '' %}{% endif %}"
     "{% endfor %}"},
    {"alpaca",
     {},
     "{% for message in messages %}{% if message.role in ['system', 'developer'] %}{{ message.content ~ "
     "'\\n\\n' }}"
     "{% elif message.role == 'assistant' %}{{ '### Response:\\n' ~ message.content ~ eos_token ~ '\\n\\n' }}"
     "{% else %}{{ '### Instruction:\\n' ~ message.content ~ '\\n\\n' }}{% endif %}{% endfor %}"
     "{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}"},
};

std::string names_of_built_in() {
  std::string names;
  for (const BuiltIn& one : kBuiltIn) names += (names.empty() ? "" : ", ") + std::string(one.name);
  return names;
}

/// The file's own templates that have names: "; the file's own are tool_use, rag"; empty if there are none.
std::string names_in(const Gguf& file) {
  const std::string prefix = key_of("");
  std::string names;
  for (const GgufEntry& entry : file.metadata()) {
    if (entry.key.starts_with(prefix))
      names += (names.empty() ? "" : ", ") + shortened(entry.key.substr(prefix.size()));
  }
  return names.empty() ? names : "; the file's own are " + names;
}

/// The first whose marks are all control tokens of the vocabulary; null if none is.
const BuiltIn* built_in_for(const Tokenizer& tokenizer) {
  std::array<std::array<bool, 3>, std::size(kBuiltIn)> found{};
  for (std::size_t i = 0; i < tokenizer.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (tokenizer.kind(id) != TokenKind::kControl) continue;
    for (std::size_t b = 0; b < std::size(kBuiltIn); ++b) {
      for (std::size_t m = 0; m < 3; ++m) {
        if (tokenizer.spelling(id) == kBuiltIn[b].marks[m]) found[b][m] = true;
      }
    }
  }
  for (std::size_t b = 0; b < std::size(kBuiltIn); ++b) {
    bool all = !kBuiltIn[b].marks[0].empty();
    for (std::size_t m = 0; m < 3; ++m) all = all && (found[b][m] || kBuiltIn[b].marks[m].empty());
    if (all) return &kBuiltIn[b];
  }
  return nullptr;
}

Result<ChatTemplate> parse_of(const Gguf& file, const std::string& key) {
  auto source = file.get_string(key);
  return source ? ChatTemplate::parse(*source) : Result<ChatTemplate>(source.error());
}

Result<ChatTemplates> chosen_template(const Gguf& file, std::string_view chosen) {
  const auto* const named = std::find_if(std::begin(kBuiltIn), std::end(kBuiltIn),
                                         [&](const BuiltIn& one) { return one.name == chosen; });
  const bool built_in = named != std::end(kBuiltIn);
  const bool is_name = chosen.find('{') == std::string_view::npos;
  const bool own = !built_in && is_name && file.find(key_of(chosen)) != nullptr;
  if (!built_in && !own && is_name) {
    return invalid("there is no built-in chat template \"", shortened(chosen), "\"; there are ",
                   names_of_built_in(), names_in(file), ", or give a Jinja source");
  }
  ChatTemplates out;
  auto parsed = own ? parse_of(file, key_of(chosen)) : ChatTemplate::parse(built_in ? named->source : chosen);
  if (!parsed) return parsed.error();
  out.plain.emplace(std::move(*parsed));
  out.origin = built_in ? std::string(named->name) : "given";
  return out;
}

/// "the chat template of "m.gguf", line 1, column 3: ..." of "chat template, line 1, column 3: ...".
Error of_file(const Error& error, std::string_view path) {
  constexpr std::string_view kBegin = "chat template, ";
  const std::string place = sentence("the chat template of \"", printable(path), "\"");
  if (!error.message.starts_with(kBegin)) return at_place(error, place);
  return {error.code, place + ", " + error.message.substr(kBegin.size())};
}

void take_built_in(const Tokenizer* tokenizer, std::string_view path, ChatTemplates& out) {
  const BuiltIn* const built_in = tokenizer != nullptr ? built_in_for(*tokenizer) : nullptr;
  if (built_in == nullptr) {
    out.error = {ErrorCode::kNotFound,
                 "\"" + printable(path) +
                     "\" has no chat template: use a raw prompt or a chat model, or name a "
                     "template (" +
                     names_of_built_in() + ")"};
    return;
  }
  auto parsed = ChatTemplate::parse(built_in->source);
  if (!parsed) {
    out.error = parsed.error();  // memory ran out
    return;
  }
  out.plain.emplace(std::move(*parsed));
  out.origin = built_in->name;
}

}  // namespace

const ChatTemplate& ChatTemplates::of(const nlohmann::ordered_json& context) const {
  const auto tools = context.find("tools");
  const bool has_tools = tools != context.end() && !tools->is_null() && !tools->empty();
  return with_tools && has_tools ? *with_tools : *plain;
}

Result<ChatTemplates> load_chat_templates(const Gguf& file, const Tokenizer* tokenizer,
                                          std::string_view chosen, std::string_view path) {
  if (!chosen.empty()) return chosen_template(file, chosen);
  ChatTemplates out;
  if (file.find(kTemplateKey) == nullptr) {
    take_built_in(tokenizer, path, out);
    return out;
  }
  auto parsed = parse_of(file, kTemplateKey);
  if (!parsed) {
    out.error = of_file(parsed.error(), path);
    return out;
  }
  out.plain.emplace(std::move(*parsed));
  out.origin = "own";
  // One that is broken is left: the template for all conversations takes its place.
  const std::string with_tools = key_of(kToolUse);
  if (file.find(with_tools) == nullptr) return out;
  if (auto tools = parse_of(file, with_tools)) out.with_tools.emplace(std::move(*tools));
  return out;
}

}  // namespace partita::internal
