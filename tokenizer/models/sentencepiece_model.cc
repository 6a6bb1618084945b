#include "tokenizer/models/sentencepiece_model.h"

#include <sentencepiece_processor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/models/piece_surface.h"
#include "tokenizer/models/sentencepiece_proto.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/vocabulary_tokenizer.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using sentencepiece::SentencePieceProcessor;

constexpr std::uintmax_t kMaxFile = std::uintmax_t{256} << 20;  // bytes; the largest in use have 5 MB

class SentencePieceModel final : public VocabularyTokenizer {
 public:
  SentencePieceModel(TokenizerVocabulary words, std::unique_ptr<SentencePieceProcessor> beginning,
                     std::unique_ptr<SentencePieceProcessor> continuing)
      : VocabularyTokenizer(std::move(words)),
        beginning_(std::move(beginning)),
        continuing_(std::move(continuing)) {
    for (std::size_t i = 0; i < size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      if (kind(id) != TokenKind::kByte) continue;
      token_of_byte_[static_cast<std::uint8_t>(vocabulary().surfaces[i][0])] = id;
    }
  }

 private:
  /// Invalid UTF-8 becomes byte tokens; the library would replace it.
  Result<void> encode_text(std::string_view text, bool at_start, std::vector<TokenId>& out) const override {
    while (!text.empty()) {
      const std::size_t valid = valid_prefix(text);
      if (valid > 0) {
        TRY(encode_valid(text.substr(0, valid), at_start, out));
        text.remove_prefix(valid);
      }
      const std::size_t invalid = invalid_prefix(text);
      for (const char byte : text.substr(0, invalid)) {
        const auto id = token_of_byte_[static_cast<std::uint8_t>(byte)];
        if (id || specials().unknown) out.push_back(id ? *id : *specials().unknown);
      }
      text.remove_prefix(invalid);
      at_start = false;
    }
    return {};
  }

  Result<void> encode_valid(std::string_view text, bool at_start, std::vector<TokenId>& out) const {
    const SentencePieceProcessor& processor = at_start || !continuing_ ? *beginning_ : *continuing_;
    std::vector<int> ids;
    const auto status = processor.Encode(absl::string_view(text.data(), text.size()), &ids);
    if (!status.ok()) {
      return Error{ErrorCode::kUnsupported, "SentencePiece cannot encode the text: " + status.ToString()};
    }
    out.insert(out.end(), ids.begin(), ids.end());
    return {};
  }

  std::unique_ptr<SentencePieceProcessor> beginning_;   // adds a space before the text (add_dummy_prefix)
  std::unique_ptr<SentencePieceProcessor> continuing_;  // adds none; null if beginning_ adds none
  std::array<std::optional<TokenId>, 256> token_of_byte_;
};

Error bad_model(const std::string& path, std::string_view why) {
  return {ErrorCode::kBadFile, path + ": " + std::string(why)};
}

Result<std::string> read_file(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return Error{ErrorCode::kNotFound, "there is no file " + path};
  }
  if (!std::filesystem::is_regular_file(status)) return Error{ErrorCode::kIo, path + " is not a file"};
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size > kMaxFile) {
    return bad_model(path, "a SentencePiece model has at most " + std::to_string(kMaxFile) + " bytes");
  }
  std::string bytes(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(bytes.data(), static_cast<std::streamsize>(size))) {
    return Error{ErrorCode::kIo, "cannot read " + path};
  }
  return bytes;
}

/// The library throws if it cannot build its index of pieces.
Result<std::unique_ptr<SentencePieceProcessor>> load(const std::string& path, std::string_view model) try {
  auto processor = std::make_unique<SentencePieceProcessor>();
  const auto status = processor->LoadFromSerializedProto(absl::string_view(model.data(), model.size()));
  if (!status.ok()) return bad_model(path, status.ToString());
  return processor;
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::kOutOfMemory, "no memory for the SentencePiece model"};
} catch (const std::exception& error) {
  return bad_model(path, sentence("SentencePiece cannot load its pieces: ", error.what()));
}

SpecialIds specials_of(const SentencePieceProcessor& processor, std::span<const std::string_view> spellings,
                       std::span<const TokenKind> kinds) {
  const auto known = [](int id) { return id < 0 ? std::nullopt : std::optional<TokenId>(id); };
  SpecialIds ids;
  ids.bos = known(processor.bos_id());
  ids.eos = known(processor.eos_id());
  ids.unknown = known(processor.unk_id());
  ids.pad = known(processor.pad_id());
  ids.add_bos = ids.bos.has_value();
  if (ids.eos) ids.end_of_generation.push_back(*ids.eos);
  ids.end_of_generation = with_ends_by_spelling(std::move(ids.end_of_generation), spellings, kinds);
  return ids;
}

Result<TokenizerVocabulary> build_vocabulary(const std::string& path, const SentencePieceProcessor& processor,
                                             SentencePieceFile file) {
  const std::size_t count = file.kinds.size();
  if (static_cast<std::size_t>(processor.GetPieceSize()) != count || count > kMaxVocabulary) {
    return bad_model(path, "it has " + std::to_string(count) + " pieces; at most " +
                               std::to_string(kMaxVocabulary) + " can be read");
  }
  std::vector<std::string_view> views;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    views.push_back(processor.IdToPiece(static_cast<int>(i)));
    bytes += views.back().size();
    if (views.back().size() > kMaxSpelling) {
      return bad_model(
          path, "piece " + std::to_string(i) + " has more than " + std::to_string(kMaxSpelling) + " bytes");
    }
  }
  StringTable spellings(0, bytes);
  StringTable surfaces(0, bytes);
  std::string surface;
  for (std::size_t i = 0; i < count; ++i) {
    TRY(piece_surface(i, views[i], file.kinds[i], surface));
    spellings.add(views[i], false);
    surfaces.add(surface, false);
  }
  SpecialIds specials = specials_of(processor, views, file.kinds);
  return TokenizerVocabulary{std::move(spellings), std::move(surfaces), std::move(file.kinds),
                             std::move(specials), file.add_dummy_prefix};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> open_sentencepiece(const std::string& path) {
  auto model = read_file(path);
  if (!model) return model.error();
  auto file = parse_sentencepiece(*model);
  if (!file) return bad_model(path, file.error().message);
  if (file->whitespace_as_suffix) {
    return Error{ErrorCode::kUnsupported, path +
                                              " puts spaces after words (treat_whitespace_as_suffix); only "
                                              "models that put them before words are "
                                              "supported"};
  }
  auto beginning = load(path, *model);
  if (!beginning) return beginning.error();
  std::unique_ptr<SentencePieceProcessor> continuing;
  if (file->add_dummy_prefix) {
    auto loaded = load(path, *model + std::string(kNoDummyPrefix));
    if (!loaded) return loaded.error();
    continuing = std::move(*loaded);
  }
  auto vocabulary = build_vocabulary(path, **beginning, std::move(*file));
  if (!vocabulary) return vocabulary.error();
  return std::unique_ptr<Tokenizer>(std::make_unique<SentencePieceModel>(
      std::move(*vocabulary), std::move(*beginning), std::move(continuing)));
}

}  // namespace partita::internal
