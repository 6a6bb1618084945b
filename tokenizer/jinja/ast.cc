#include "tokenizer/jinja/ast.h"

#include <algorithm>

namespace partita::internal::jinja {

int height_of(const ExpressionPtr& expression) { return expression ? expression->height : 0; }

int height_of(const CallArguments& arguments) {
  int height = std::max(height_of(arguments.star), height_of(arguments.double_star));
  for (const auto& argument : arguments.positional) height = std::max(height, height_of(argument));
  for (const auto& [name, argument] : arguments.named) height = std::max(height, height_of(argument));
  return height;
}

int height_of(const std::vector<ExpressionPtr>& expressions) {
  int height = 0;
  for (const auto& expression : expressions) height = std::max(height, height_of(expression));
  return height;
}

}  // namespace partita::internal::jinja
