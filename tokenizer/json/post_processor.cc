#include "tokenizer/json/post_processor.h"

#include <array>
#include <string>
#include <string_view>

#include "weights/sentence.h"

namespace partita::internal {
namespace {

constexpr std::size_t kMaxAdded = 64;  // tokens on one side

using Json = nlohmann::json;

const std::string* text_in(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

/// Reads one post-processor into what it puts around a text alone.
class Reader {
 public:
  Reader(ComponentFields& fields, std::size_t vocabulary) : fields_(fields), vocabulary_(vocabulary) {}

  /// [SPELLING, ID]
  void add_pair(const char* key, std::vector<TokenId>& to) {
    const Json& pair = fields_.array(key);
    if (pair.size() == 2) return add(pair[1], to);
    fields_.fail_key(key, "must be a token and its id");
  }

  /// The "ids" of a token that a template names.
  void add_special(const std::string& name, std::vector<TokenId>& to) {
    const Json& tokens = fields_.object("special_tokens");
    const auto token = tokens.find(name);
    const Json* ids =
        token != tokens.end() && token->is_object() && token->contains("ids") ? &(*token)["ids"] : nullptr;
    if (ids == nullptr || !ids->is_array())
      return fields_.fail_key("special_tokens", sentence("has no ids of ", internal::quoted(name)));
    for (const Json& id : *ids) add(id, to);
  }

 private:
  void add(const Json& id, std::vector<TokenId>& to) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= vocabulary_ || to.size() >= kMaxAdded) {
      return fields_.fail(ErrorCode::kBadFile, sentence("adds a token whose id is not below ", vocabulary_,
                                                        ", or more than ", kMaxAdded, " tokens"));
    }
    to.push_back(id.get<TokenId>());
  }

  ComponentFields& fields_;
  std::size_t vocabulary_;
};

void read_template(ComponentFields& fields, std::size_t vocabulary, PromptTemplate& to) {
  Reader reader(fields, vocabulary);
  bool has_text = false;
  for (const Json& part : fields.array("single")) {
    const auto member = [&part](const char* key) -> const Json& {
      static const Json none;
      return part.is_object() && part.contains(key) ? part[key] : none;
    };
    if (const std::string* name = text_in(member("SpecialToken"), "id")) {
      reader.add_special(*name, has_text ? to.after : to.before);
      continue;
    }
    const std::string* sequence = text_in(member("Sequence"), "id");
    if (sequence == nullptr || *sequence != "A" || has_text)
      return fields.fail_key("single", "must have special tokens and sequence A, once");
    has_text = true;
  }
  if (!has_text) fields.fail_key("single", "must have sequence A");
}

void read_pairs(ComponentFields& fields, std::size_t vocabulary, PromptTemplate& to) {
  Reader reader(fields, vocabulary);
  reader.add_pair("cls", to.before);
  reader.add_pair("sep", to.after);
}

void read_byte_level(ComponentFields&, std::size_t, PromptTemplate&) {}  // changes offsets alone

void read_sequence(ComponentFields& fields, std::size_t vocabulary, PromptTemplate& to) {
  for (const Json& step : fields.steps("processors")) {
    PromptTemplate around;
    read_post_processor(fields.inner(step), vocabulary, around);
    if (fields.failed()) return;
    to.before.insert(to.before.begin(), around.before.begin(), around.before.end());
    to.after.insert(to.after.end(), around.after.begin(), around.after.end());
  }
}

struct Kind {
  std::string_view type;
  void (*read)(ComponentFields& fields, std::size_t vocabulary, PromptTemplate& to);
};

constexpr std::array kKinds = {
    Kind{"TemplateProcessing", read_template}, Kind{"BertProcessing", read_pairs},
    Kind{"RobertaProcessing", read_pairs},     Kind{"ByteLevel", read_byte_level},
    Kind{"Sequence", read_sequence},
};

}  // namespace

void read_post_processor(ComponentFields fields, std::size_t vocabulary, PromptTemplate& to) {
  for (const Kind& kind : kKinds) {
    if (kind.type == fields.type()) return kind.read(fields, vocabulary, to);
  }
  fields.fail_unknown();
}

}  // namespace partita::internal
