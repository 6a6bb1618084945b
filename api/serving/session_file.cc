// Session files: saving and loading a conversation's KV cache. docs/session_files.md has the format.
#include <algorithm>
#include <cstring>
#include <filesystem>

#include "api/adapters/adapters.h"
#include "api/serving/session.h"
#include "engine/cache/kv_file.h"
#include "weights/catch_all.h"
#include "weights/checked_file.h"
#include "weights/fingerprint.h"
#include "weights/input_file.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

constexpr char kMagic[8] = {'P', 'A', 'R', 'T', 'I', 'T', 'A', 'S'};
constexpr std::uint64_t kVersion = 1, kVersionWithAdapters = 2;
constexpr std::size_t kMaxName = 4096, kMaxNote = std::size_t{64} << 20;
constexpr std::size_t kMaxNames = std::size_t{1} << 16;  // of adapters
constexpr std::size_t kMaxList = 1 << 20;  // bytes of a layout, or of the numbers of first pages

using Bytes = std::span<const std::byte>;

/// Opens a file, with errors about sessions instead of InputFile's about models.
Result<InputFile> open_session_file(const std::string& path) {
  std::error_code none;
  if (std::filesystem::is_directory(path, none)) {
    return Error{ErrorCode::kIo,
                 "\"" + printable(path) + "\" is a directory; give the path of a session file"};
  }
  auto file = InputFile::open(path);
  if (!file && file.error().code == ErrorCode::kNotFound) {
    return Error{ErrorCode::kNotFound,
                 "there is no session file \"" + printable(path) + "\"; check the path"};
  }
  if (!file && file.error().code == ErrorCode::kBadFile) {
    return Error{ErrorCode::kBadFile, "\"" + printable(path) + "\" is empty, and no session file"};
  }
  return file;
}

/// A number for the arithmetic that keys and values depend on besides the model.
std::uint64_t arithmetic(const Session::Impl& session) {
  const Transformer& transformer = *session.model->transformer;
  if (transformer.exact()) return 0;
  if (transformer.isa() == Isa::kAmxEmulated) return 4;
  if (session.scheduler.engine().roles_differ()) return 2;
  return transformer.isa() == Isa::kScalar ? 3 : 1;
}

std::string_view arithmetic_name(std::uint64_t which) {
  constexpr std::string_view kNames[] = {"exact arithmetic", "vector kernels", "matrix tiles",
                                         "scalar kernels", "emulated matrix tiles"};
  return which < std::size(kNames) ? kNames[which] : "an unknown arithmetic";
}

/// The contents of a file before its pages, checked against the session that loads it.
struct Contents {
  std::uint32_t rope_limit = 0;  // KvSequence::rope_limit()
  std::vector<TokenId> ids;
  std::size_t prompt_size = 0;
  std::vector<std::uint64_t> first_pages;
  std::string note;
};

/// Returns the version.
Result<std::uint64_t> check_magic(FileReader& file) {
  char magic[sizeof kMagic] = {};
  std::uint64_t version = 0;
  if (!file.read(std::as_writable_bytes(std::span(magic))) ||
      std::memcmp(magic, kMagic, sizeof kMagic) != 0) {
    return file.refused("is not a session file");
  }
  if (!file.word(version)) return file.damaged("it ends in its header");
  if (version != kVersion && version != kVersionWithAdapters) {
    return file.refused(sentence("is a session file of version ", version, "; this program reads versions ",
                                 kVersion, " and ", kVersionWithAdapters));
  }
  return version;
}

/// Errors unless the file's adapters are `adapters`.
Result<void> check_adapters(FileReader& file, std::uint64_t version, const AdapterSet* adapters) {
  std::uint64_t key = 0;
  std::string names = adapters_text(nullptr);
  if (version == kVersionWithAdapters && (!file.word(key) || !file.read_counted(kMaxNames, names)))
    return file.damaged("it ends in its header");
  if (key == (adapters == nullptr ? 0 : adapters->key())) return {};
  return file.refused("was made with " + printable(names) + ", and this session has " +
                      adapters_text(adapters) + ": give the same adapters");
}

/// The higher half of the word of the arithmetic: KvSequence::rope_limit().
constexpr unsigned kLimitShift = 32;

/// Errors unless the file's model, arithmetic and page layout are those of the session.
Result<void> check_model(FileReader& file, const Session::Impl& session, Contents& contents) {
  std::uint64_t model = 0, how = 0;
  std::string name;
  std::vector<std::uint64_t> layout;
  if (!file.word(model) || !file.read_counted(kMaxName, name) || !file.word(how) ||
      !file.read_counted(kMaxList, layout)) {
    return file.damaged("it ends in its header");
  }
  contents.rope_limit = static_cast<std::uint32_t>(how >> kLimitShift);
  how &= (std::uint64_t{1} << kLimitShift) - 1;
  const auto own_model = fingerprint(session.model->file);
  if (!own_model) return own_model.error();
  if (model != *own_model) {
    if (name == session.model->info.path) {
      return file.refused("was made with the model \"" + printable(name) +
                          "\" as it was before it was changed; now it is another");
    }
    return file.refused("belongs to the model \"" + printable(name) + "\", not to \"" +
                        printable(session.model->info.path) + "\"");
  }
  if (how != arithmetic(session)) {
    return file.refused("was made with " + std::string(arithmetic_name(how)) +
                        ", and this session computes with " +
                        std::string(arithmetic_name(arithmetic(session))));
  }
  if (layout != kv_layout(session.pool)) {
    return file.refused("holds a cache of another kind: of another --cache, or another attention window");
  }
  return {};
}

Result<Contents> read_contents(FileReader& file, const Session::Impl& session, const AdapterSet* adapters) {
  const auto version = check_magic(file);
  if (!version) return version.error();
  Contents contents;
  TRY(check_model(file, session, contents));
  TRY(check_adapters(file, *version, adapters));
  std::uint64_t prompt = 0;
  const std::size_t context = session.model->info.context_length;
  if (!file.read_counted(context * sizeof(TokenId), contents.ids) || !file.word(prompt) ||
      !file.read_counted(kMaxList, contents.first_pages) || !file.read_counted(kMaxNote, contents.note)) {
    return file.damaged("it ends too early, or holds more than the model's context of " +
                        std::to_string(context));
  }
  const Config& config = session.model->transformer->config();
  if (contents.rope_limit != 0 && config.rope_limit(contents.rope_limit) != contents.rope_limit) {
    return file.damaged("its keys are rotated for " + std::to_string(contents.rope_limit) +
                        " tokens, which the model does not do");
  }
  contents.prompt_size = static_cast<std::size_t>(prompt);
  if (prompt > contents.ids.size()) return file.damaged("more of its ids are a prompt than there are");
  if (auto checked = session.model->check_ids(contents.ids); !checked)
    return file.damaged(checked.error().message);
  if (!are_valid_first_pages(session.pool, contents.ids.size(), contents.first_pages)) {
    return file.damaged("pages are missing that the next token attends to");
  }
  if (file.bytes_left() != kv_bytes(session.pool, contents.ids.size(), contents.first_pages)) {
    return file.damaged(sentence("it has ", file.bytes_left(), " bytes of pages where its ",
                                 contents.ids.size(), " tokens take ",
                                 kv_bytes(session.pool, contents.ids.size(), contents.first_pages)));
  }
  return contents;
}

Result<void> write_contents(AtomicFile& file, const Session::Impl& session, std::string_view note) {
  const auto model = fingerprint(session.model->file);
  if (!model) return model.error();
  const auto list = [&](auto span) { return file.write(span.size()) && file.write(std::as_bytes(span)); };
  const TokenSource::Held held = session.held(session.cache);
  const auto layout = kv_layout(session.pool), first = first_pages(session.cache);
  const std::string_view name = std::string_view(session.model->info.path).substr(0, kMaxName);
  const std::uint64_t how = arithmetic(session) | static_cast<std::uint64_t>(session.cache.rope_limit())
                                                      << kLimitShift;
  const AdapterSet* const adapters = session.cache.adapters();
  const std::string names = adapters_text(adapters).substr(0, kMaxNames);
  const bool written =
      file.write(std::as_bytes(std::span(kMagic))) &&
      file.write(adapters == nullptr ? kVersion : kVersionWithAdapters) && file.write(*model) &&
      list(std::span(name)) && file.write(how) && list(std::span(layout)) &&
      (adapters == nullptr || (file.write(adapters->key()) && list(std::span(names)))) && list(held.ids) &&
      file.write(held.prompt_size) && list(std::span(first)) && list(std::span(note)) &&
      write_pages(session.cache, [&](Bytes page) { return file.write(page); });
  return written ? Result<void>() : Result<void>(file.write_error());
}

}  // namespace

Result<void> Session::save(const std::string& path, std::string_view note) const {
  return catch_all([&]() -> Result<void> {
    if (note.size() > kMaxNote) {
      return invalid("the note has ", note.size(), " bytes; a session file holds at most ", kMaxNote);
    }
    constexpr unsigned kOwnerOnly = 0600;  // conversations are private
    auto file = AtomicFile::create(path, kOwnerOnly);
    if (!file) return file.error();
    TRY(write_contents(*file, *impl_, note));
    return file->finish();
  });
}

Result<std::string> Session::load(const std::string& path, std::span<const AppliedAdapter> adapters) {
  return catch_all([&]() -> Result<std::string> {
    const auto set = adapter_set(*impl_->model, adapters);
    if (!set) return set.error();
    const auto opened = open_session_file(path);
    if (!opened) return opened.error();
    FileReader file(*opened);
    auto contents = read_contents(file, *impl_, set->get());
    if (!contents) return contents.error();
    // Into a new cache first: if memory is too small for both, this session stays as it was.
    KvSequence cache(impl_->pool);
    cache.set_rope_limit(contents->rope_limit);
    cache.set_adapters(*set);
    const auto read_page = [&](std::span<std::byte> page) { return file.read(page); };
    if (auto read = read_pages(read_page, contents->ids.size(), contents->first_pages, cache); !read) {
      return read.error().code == ErrorCode::kIo ? file.damaged("its pages end too early") : read.error();
    }
    TRY(file.verify_checksum());
    impl_->replace_cache(std::move(cache), std::move(contents->ids), contents->prompt_size);
    return std::move(contents->note);
  });
}

Result<std::string> session_note(const std::string& path) {
  return catch_all([&]() -> Result<std::string> {
    const auto opened = open_session_file(path);
    if (!opened) return opened.error();
    FileReader file(*opened);
    const auto version = check_magic(file);
    if (!version) return version.error();
    std::uint64_t word = 0;
    std::string note;
    const bool whole = file.word(word) && file.skip_counted(1) && file.word(word) &&
                       file.skip_counted(sizeof(std::uint64_t)) &&
                       (*version == kVersion || (file.word(word) && file.skip_counted(1))) &&
                       file.skip_counted(sizeof(TokenId)) && file.word(word) &&
                       file.skip_counted(sizeof(std::uint64_t)) && file.read_counted(kMaxNote, note) &&
                       file.skip(file.bytes_left());
    if (!whole) return file.damaged("it ends in its header");
    TRY(file.verify_checksum());
    return note;
  });
}

}  // namespace partita
