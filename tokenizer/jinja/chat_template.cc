#include "tokenizer/jinja/chat_template.h"

#include <new>
#include <utility>

#include <nlohmann/json.hpp>

#include "partita/text.hpp"
#include "tokenizer/jinja/context.h"
#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/parser.h"
#include "tokenizer/jinja/runtime.h"

namespace partita::internal {

struct ChatTemplate::Impl {
  jinja::Template parsed;
};

ChatTemplate::ChatTemplate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

namespace {

constexpr const char* kNoMemory = "no memory left";  // fits the small-string buffer

/// A template's error with its message escaped: a template can put any text into it.
Error escaped_error(const Error& error) noexcept {
  try {
    return {error.code, printable(error.message)};
  } catch (const std::bad_alloc&) {
    return {ErrorCode::kOutOfMemory, kNoMemory};
  }
}

// Runs `work` and turns the exceptions of the interpreter into Errors.
template <class Work>
auto catch_template_errors(Work work) -> Result<decltype(work())> {
  try {
    return work();
  } catch (const jinja::JinjaError& error) {
    return escaped_error(error.error);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, kNoMemory};
  }
}

jinja::Text render_text(const jinja::Template& parsed, const nlohmann::ordered_json& context,
                        const std::atomic<bool>* cancel) {
  if (!context.is_object()) {
    throw jinja::JinjaError{
        {ErrorCode::kInvalidArgument,
         std::string("a chat template's context must be an object, not ") + context.type_name()}};
  }
  jinja::Runtime runtime(jinja::time_of(context), cancel);
  jinja::Interpreter interpreter(runtime, jinja::variables_of(runtime, context));
  return interpreter.render(parsed);
}

}  // namespace

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  return catch_template_errors([&] {
    auto impl = std::make_shared<Impl>();
    impl->parsed = jinja::parse_template(source);
    return ChatTemplate(std::move(impl));
  });
}

Result<std::string> ChatTemplate::render(const nlohmann::ordered_json& context,
                                         const std::atomic<bool>* cancel) const {
  return catch_template_errors([&] { return render_text(impl_->parsed, context, cancel).bytes(); });
}

Result<std::vector<ChatTemplate::Piece>> ChatTemplate::render_pieces(const nlohmann::ordered_json& context,
                                                                     const std::atomic<bool>* cancel) const {
  return catch_template_errors([&] {
    std::vector<Piece> pieces;
    render_text(impl_->parsed, context, cancel)
        .for_each_run([&pieces](std::string_view text, bool from_message) {
          pieces.push_back({std::string(text), from_message});
        });
    return pieces;
  });
}

}  // namespace partita::internal
