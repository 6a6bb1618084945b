// Any bytes as the context of a chat template: the first chooses the template, the rest is JSON.
#include <array>

#include "tests/fuzz/support.h"

namespace partita::internal::fuzz {
namespace {

/// Templates: a plain one, one that prints everything, one that recurses into values, one that calculates.
constexpr std::array<std::string_view, 4> kTemplates = {
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "{{ messages }}{{ messages | tojson }}{{ tools | tojson(indent=2) }}{{ x }}{{ x | string | length }}"
    "{{ bos_token ~ eos_token }}",
    "{% macro walk(v) %}{% if v is mapping %}{% for k, w in v.items() %}{{ k }}:{{ walk(w) }},{% endfor %}"
    "{% elif v is string %}{{ v | trim | upper }}{% elif v is iterable %}[{% for w in v %}{{ walk(w) }}"
    "{% endfor %}]{% else %}{{ v }}{% endif %}{% endmacro %}{{ walk(x) }}{{ walk(messages) }}",
    "{% set ns = namespace(n=0) %}{% for m in messages | default([]) %}{% set ns.n = ns.n + 1 %}"
    "{{ m['role'] == 'user' }}{{ m.content | default('', true) | replace('a', 'b') }}{{ m.content[:3] }}"
    "{% endfor %}{{ ns.n }}{{ x | default(1) * 2 }}{{ (messages | default([]) | first) }}{{ x in messages "
    "}}"};

}  // namespace

void run_context(Bytes bytes) {
  Input input(bytes);
  const std::string_view source = kTemplates[input.byte() % kTemplates.size()];
  const auto text = Model::render(source, input.rest());
  if (!text) return require_message(text.error());
  const auto again = Model::render(source, input.rest());
  require(again.ok() && *again == *text);
}

}  // namespace partita::internal::fuzz
