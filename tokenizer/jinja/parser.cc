#include "tokenizer/jinja/parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tokenizer/jinja/expression_parser.h"
#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {
namespace {

class Parser : private ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Template run() {
    template_.body = parse_body({});
    if (!unknown_.empty()) unsupported(unknown_[0].first, unknown_[0].second);
    return std::move(template_);
  }

 private:
  using Ends = std::initializer_list<std::string_view>;

  // Statements up to a block that begins with one of `ends`, whose name stays the current token; without
  // `ends`, up to the end of the template.
  Body parse_body(Ends ends) {
    const NestingGuard nesting(*this);
    const Token open = current();
    Body body;
    while (current().type != TokenType::kEnd) {
      const Place place = current().place;
      if (current().type == TokenType::kData) {
        body.push_back({place, Data{std::make_shared<const Text>(current().text, false)}});
        advance();
      } else if (current().type == TokenType::kVariableBegin) {
        advance();
        body.push_back({place, Print{parse_tuple()}});
        expect_end(TokenType::kVariableEnd);
      } else {
        advance();  // {%
        if (std::any_of(ends.begin(), ends.end(), [this](std::string_view end) { return is_name(end); })) {
          return body;
        }
        parse_statement(body);
      }
    }
    if (ends.size() > 0) fail_at(open, "the block has no '" + std::string(*(ends.end() - 1)) + "'");
    return body;
  }

  // The rest of an opening block, then its body.
  Body parse_block(Ends ends) {
    skip_operator(":");
    expect_end(TokenType::kBlockEnd);
    return parse_body(ends);
  }

  void expect_end(TokenType type) {
    if (current().type != type) {
      fail(std::string("expected '") + (type == TokenType::kBlockEnd ? "%}" : "}}") + "', got " +
           describe(current()));
    }
    advance();
  }

  // The closing block that parse_body() stopped at.
  void close() {
    advance();
    expect_end(TokenType::kBlockEnd);
  }

  void parse_statement(Body& body) {
    using Rule = void (Parser::*)(Place place, Body & body);
    static constexpr std::array<std::pair<std::string_view, Rule>, 13> kRules = {{
        {"if", &Parser::parse_if},
        {"for", &Parser::parse_for},
        {"set", &Parser::parse_set},
        {"macro", &Parser::parse_macro},
        {"call", &Parser::parse_call_block},
        {"filter", &Parser::parse_filter_block},
        {"with", &Parser::parse_with},
        {"autoescape", &Parser::parse_autoescape},
        {"block", &Parser::parse_block_definition},
        {"generation", &Parser::parse_generation},
        {"print", &Parser::parse_print},
        {"break", &Parser::parse_break},
        {"continue", &Parser::parse_continue},
    }};
    const Token token = current();
    const std::string name = expect_name();
    const auto rule =
        std::find_if(kRules.begin(), kRules.end(), [&](const auto& r) { return r.first == name; });
    if (rule != kRules.end()) return (this->*rule->second)(token.place, body);
    static constexpr std::array<std::string_view, 6> kUnsupportedTags = {"extends", "include", "import",
                                                                         "from",    "do",      "trans"};
    if (std::find(kUnsupportedTags.begin(), kUnsupportedTags.end(), name) != kUnsupportedTags.end()) {
      unsupported(token, "the tag '" + name + "'");
    }
    fail_at(token, "unknown tag '" + name.substr(0, 80) + "'");
  }

  void parse_if(Place place, Body& body) {
    If statement;
    const std::size_t unknown = unknown_.size();
    do {
      ExpressionPtr test = parse_tuple(false);
      Body then = parse_block({"elif", "else", "endif"});
      statement.branches.emplace_back(std::move(test), std::move(then));
    } while (skip_name("elif"));
    if (skip_name("else")) statement.otherwise = parse_block({"endif"});
    close();
    unknown_.erase(unknown_.begin() + static_cast<std::ptrdiff_t>(unknown), unknown_.end());
    body.push_back({place, std::move(statement)});
  }

  void parse_for(Place place, Body& body) {
    For loop;
    loop.target = parse_target(false);
    if (!skip_name("in")) fail("expected 'in', got " + describe(current()));
    loop.iterable = parse_tuple(false);
    if (skip_name("if")) loop.filter = parse_expression();
    loop.is_recursive = skip_name("recursive");
    ++loops_;
    loop.body = parse_block({"else", "endfor"});
    --loops_;
    if (skip_name("else")) loop.otherwise = parse_block({"endfor"});
    close();
    body.push_back({place, std::move(loop)});
  }

  void parse_set(Place place, Body& body) {
    Target target = parse_target(true);
    if (skip_operator("=")) {
      ExpressionPtr value = parse_tuple();
      expect_end(TokenType::kBlockEnd);
      body.push_back({place, Set{std::move(target), std::move(value)}});
      return;
    }
    SetBlock block{std::move(target), {}, {}};
    while (skip_operator("|")) block.filters.push_back(parse_filter_call());
    block.body = parse_block({"endset"});
    close();
    body.push_back({place, std::move(block)});
  }

  void parse_filter_block(Place place, Body& body) {
    FilterBlock block;
    do {
      block.filters.push_back(parse_filter_call());
    } while (skip_operator("|"));
    block.body = parse_block({"endfilter"});
    close();
    body.push_back({place, std::move(block)});
  }

  void parse_with(Place place, Body& body) {
    With with;
    while (current().type != TokenType::kBlockEnd && !is_operator(":")) {
      if (!with.variables.empty()) expect_operator(",");
      Target target = parse_with_target();
      expect_operator("=");
      with.variables.emplace_back(std::move(target), parse_expression());
    }
    with.body = parse_block({"endwith"});
    close();
    body.push_back({place, std::move(with)});
  }

  Target parse_with_target() {
    if (is_operator("(")) return parse_target(false);
    Target target;
    target.place = current().place;
    target.name = parse_target_name();
    return target;
  }

  void parse_autoescape(Place place, Body& body) {
    AutoEscape escape;
    escape.on = parse_expression();
    escape.body = parse_block({"endautoescape"});
    close();
    body.push_back({place, std::move(escape)});
  }

  void parse_block_definition(Place place, Body& body) {
    const Token name = current();
    Block block{expect_name(), false, false, nullptr};
    block.scoped = skip_name("scoped");
    block.required = skip_name("required");
    if (template_.blocks.contains(block.name))
      fail_at(name, "the block '" + block.name + "' is defined twice");
    template_.blocks[block.name] = nullptr;  // taken, before blocks inside this one
    const std::size_t outer_loops = std::exchange(loops_, 0);
    block.body = std::make_shared<const Body>(parse_block({"endblock"}));
    loops_ = outer_loops;
    advance();
    skip_name(block.name);
    expect_end(TokenType::kBlockEnd);
    template_.blocks[block.name] = block.body;
    body.push_back({place, std::move(block)});
  }

  // The body of a macro or call block: break and continue cannot leave a loop outside it.
  Body parse_function_body(std::string_view end) {
    const std::size_t outer_loops = std::exchange(loops_, 0);
    Body body = parse_block({end});
    loops_ = outer_loops;
    close();
    return body;
  }

  void parse_generation(Place place, Body& body) {
    With with;
    with.body = parse_function_body("endgeneration");
    body.push_back({place, std::move(with)});
  }

  void parse_signature(Macro& macro) {
    expect_operator("(");
    while (!is_operator(")")) {
      macro.parameters.push_back(parse_target_name());
      if (skip_operator("=")) {
        macro.defaults.push_back(parse_expression());
      } else if (!macro.defaults.empty()) {
        fail("a parameter without a default follows one with a default");
      }
      if (!is_operator(")")) expect_operator(",");
    }
    expect_operator(")");
  }

  void parse_macro_body(Macro& macro, std::string_view end) {
    MacroUses uses;
    macros_.push_back(&uses);
    macro.body = parse_function_body(end);
    macros_.pop_back();
    const auto is_parameter = [&](std::string_view name) {
      return std::find(macro.parameters.begin(), macro.parameters.end(), name) != macro.parameters.end();
    };
    macro.uses_varargs = uses.varargs && !is_parameter("varargs");
    macro.uses_kwargs = uses.kwargs && !is_parameter("kwargs");
    macro.uses_caller = uses.caller && !is_parameter("caller");
  }

  void parse_macro(Place place, Body& body) {
    auto macro = std::make_shared<Macro>();
    macro->name = parse_target_name();
    parse_signature(*macro);
    parse_macro_body(*macro, "endmacro");
    body.push_back({place, MacroDefinition{std::move(macro)}});
  }

  void parse_call_block(Place place, Body& body) {
    auto caller = std::make_shared<Macro>();
    caller->name = "caller";
    if (is_operator("(")) parse_signature(*caller);
    const Token token = current();
    ExpressionPtr call = parse_expression();
    if (!std::holds_alternative<Call>(call->node)) fail_at(token, "a call block needs a call");
    parse_macro_body(*caller, "endcall");
    body.push_back({place, CallBlock{std::move(caller), std::move(call)}});
  }

  void parse_print(Place place, Body& body) {
    bool first = true;
    while (current().type != TokenType::kBlockEnd) {
      if (!first) expect_operator(",");
      first = false;
      body.push_back({place, Print{parse_expression()}});
    }
    expect_end(TokenType::kBlockEnd);
  }

  void parse_break(Place place, Body& body) {
    if (loops_ == 0) fail("'break' outside a loop");
    expect_end(TokenType::kBlockEnd);
    body.push_back({place, Break{}});
  }

  void parse_continue(Place place, Body& body) {
    if (loops_ == 0) fail("'continue' outside a loop");
    expect_end(TokenType::kBlockEnd);
    body.push_back({place, Continue{}});
  }

  Template template_;
  std::size_t loops_ = 0;  // loops around the current token that break can leave
};

}  // namespace

Template parse_template(std::string_view source) { return Parser(tokenize(source)).run(); }

}  // namespace partita::internal::jinja
