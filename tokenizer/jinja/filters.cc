#include "tokenizer/jinja/filters.h"

namespace partita::internal::jinja {

Filter find_filter(std::string_view name) {
  for (const auto* table : {&text_filters(), &sequence_filters(), &number_filters(), &group_filters(),
                            &wrap_filters(), &web_filters(), &pretty_filters()}) {
    for (const auto& [known, filter] : *table) {
      if (known == name) return filter;
    }
  }
  return nullptr;
}

Value run_filter(Filter filter, Runtime& runtime, const Value& input, const Arguments& arguments) {
  runtime.step();
  runtime.touch_text(input);
  return filter(runtime, input, arguments);
}

}  // namespace partita::internal::jinja
