// The error message for every way in which a file can be invalid.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/catch.h"
#include "tests/weights/files.h"
#include "weights/gguf/gguf.h"

using namespace partita;

using namespace partita::internal;
using partita::internal::test::Bytes;
using partita::internal::test::RawFile;

namespace {

constexpr std::uint64_t kHuge = ~std::uint64_t{0};
const std::string kAgain = "; the file is damaged: download it again";

void check_refused(const Bytes& bytes, ErrorCode code, const std::string& message) {
  const Result<Gguf> file = Gguf::parse(bytes, "m");
  REQUIRE_FALSE(file.ok());
  CHECK(file.error().message == message);
  CHECK(file.error().code == code);
}

void check_damaged(const RawFile& file, const std::string& sentence) {
  check_refused(file.bytes(), ErrorCode::kBadFile, "'m': " + sentence + kAgain);
}

void check_begin(std::string_view begin, ErrorCode code, const std::string& message) {
  check_refused(RawFile().text(begin).zeros(40).bytes(), code, "'m' " + message);
}

/// A header and one key; the test adds the rest.
RawFile one_key(std::string_view name, GgufType type) { return RawFile().header(0, 1).key(name, type); }

/// A file with one tensor and `data` bytes for it.
RawFile one_tensor(const std::vector<std::uint64_t>& dims, std::uint32_t type, std::uint64_t offset,
                   std::size_t data) {
  return RawFile().header(1, 0).tensor("w", dims, type, offset).pad().zeros(data);
}

RawFile aligned_to(std::uint32_t alignment) {
  return RawFile().header(0, 1).key("general.alignment", GgufType::kUint32).put(alignment);
}

}  // namespace

TEST_CASE("files of other formats are named") {
  const auto bad = ErrorCode::kBadFile;
  check_begin(
      "version https://git-lfs.github.com/spec/v1\noid sha256:0", bad,
      "is a Git LFS pointer, a few lines of text that stand for the model; run 'git lfs pull' where it was "
      "cloned, or download the file itself");
  const std::string reconvert =
      "; convert the original model again with a current convert_hf_to_gguf.py, or download a newer GGUF "
      "file";
  check_begin("lmgg", bad, "is in the old GGML format of 2023" + reconvert);
  check_begin("fmgg", bad, "is in the old GGMF format of 2023" + reconvert);
  check_begin("tjgg", bad, "is in the old GGJT format of 2023" + reconvert);
  check_begin("algg", bad,
              "is a GGLA adapter file of 2023, not a model; give the path of a model in a .gguf file");
  check_begin("PK\x03\x04", bad,
              "is a ZIP archive (a PyTorch checkpoint or a package); unpack it, or convert the model with "
              "convert_hf_to_gguf.py");
  for (const std::string_view pickle : {"\x80\x02}q", "\x80\x03}q", "\x80\x04\x95", "\x80\x05\x95"}) {
    check_begin(
        pickle, bad,
        "is a Python pickle (an old PyTorch checkpoint); nothing in it is run; convert the model with "
        "convert_hf_to_gguf.py, or download a GGUF file of it");
  }
  check_begin("PARTITAS", bad,
              "is the saved KV cache of a chat, not a model; give the model of the chat, and the "
              "chat with --session to partita chat");
  check_begin("PARTITAH", bad,
              "is a screen of a model's output matrix, not a model; give the model in the same directory; "
              "Partita finds its screen automatically");
  check_begin("{\"partita_chat\":1}", bad,
              "is a chat, not a model; give the model of the chat, and the chat with --session to "
              "partita chat");
  check_begin(
      "{\"architectures\":", bad,
      "is JSON text, such as a checkpoint's config.json; give the path of a .gguf file; partita convert "
      "makes one from a checkpoint's directory");
  for (const std::string_view page : {"<!DOCTYPE html>", "<!doctype html>", "<html lang=en>"}) {
    check_begin(page, bad, "is a web page; the download went wrong: fetch the file itself, not its page");
  }
  check_refused(RawFile().put<std::uint64_t>(20).text("{\"a\": {\"dtype\": 1}}  ").bytes(), bad,
                "'m' is a safetensors file; convert the model's directory with partita convert, or download "
                "a GGUF file "
                "of the model");
  check_refused(
      RawFile().text("Dear reader,\nthis is a letter, not a model.").bytes(), bad,
      "'m' is not a GGUF file: it begins with the text 'Dear reader,\\x0athis is a l' instead of 'GGUF'; "
      "give the path of a .gguf file");
  check_refused(
      RawFile().text("Hi").bytes(), bad,
      "'m' is not a GGUF file: it begins with the text 'Hi' instead of 'GGUF'; give the path of a .gguf "
      "file");
  check_begin(
      "\x89PNG\r\n", bad,
      "is not a GGUF file: it begins with the bytes 89 50 4e 47 0d 0a 00 00 instead of 'GGUF'; give the "
      "path of a .gguf file");
}

TEST_CASE("GGUF files of other kinds are named") {
  const auto unsupported = ErrorCode::kUnsupported;
  check_refused(
      RawFile().header(0, 0, 1).bytes(), unsupported,
      "'m' is GGUF version 1, and only versions 2 and 3 can be read; convert the original model again with "
      "a current convert_hf_to_gguf.py, or download a newer GGUF file");
  check_refused(RawFile().header(0, 0, 0x03000000).bytes(), unsupported,
                "'m' is a big-endian GGUF file, and only little-endian ones can be read; convert it with "
                "gguf_convert_endian.py, or download the little-endian file");
  for (const std::uint32_t version : {0u, 4u, 0x01010101u}) {
    check_refused(
        RawFile().header(0, 0, version).bytes(), unsupported,
        "'m' says that it is GGUF version " + std::to_string(version) +
            ", and only versions 2 and 3 can be read; download it again if it is damaged, or use a newer "
            "Partita if there is such a version");
  }
}

TEST_CASE("a header that is cut short is refused") {
  for (const std::string_view begin : {"", "G", "GGU", "GGUF", "GGUF\x03"}) {
    check_refused(RawFile().text(begin).bytes(), ErrorCode::kBadFile,
                  "'m' is cut short: it has " + std::to_string(begin.size()) +
                      " bytes, and the header of a GGUF file has 24; download it again");
  }
  const Bytes header = RawFile().header(0, 0).bytes();
  check_refused(Bytes(header.begin(), header.begin() + 23), ErrorCode::kBadFile,
                "'m' is cut short: it has 23 bytes, and the header of a GGUF file has 24; download it again");
  CHECK(Gguf::parse(header, "m").ok());
}

TEST_CASE("counts in the header are bounded by the file and by the limit") {
  check_damaged(
      RawFile().header(0, kHuge),
      "the header claims 18446744073709551615 metadata keys, and a file of 24 bytes can have at most 0");
  check_damaged(RawFile().header(0, 5000).zeros(100000),
                "the header claims 5000 metadata keys, and a file of 100024 bytes can have at most 4096");
  check_damaged(
      RawFile().header(kHuge, 0).zeros(650),
      "the header claims 18446744073709551615 tensors, and 650 bytes after the metadata can describe at "
      "most 11");
}

TEST_CASE("keys are checked") {
  check_damaged(RawFile().header(0, 1).string("").zeros(20),
                "a metadata key at byte 24 claims a length of 0, and 1 to 65535 are allowed");
  check_damaged(
      RawFile().header(0, 1).put(kHuge).zeros(20),
      "a metadata key at byte 24 claims a length of 18446744073709551615, and 1 to 65535 are allowed");
  check_damaged(RawFile().header(0, 1).put<std::uint64_t>(100).zeros(20),
                "a metadata key needs 100 bytes from byte 32, and the file ends at byte 52");
  check_damaged(RawFile().header(0, 2).key("k", GgufType::kUint8).zeros(15),
                "a metadata key at byte 38 claims a length of 0, and 1 to 65535 are allowed");
  check_damaged(
      RawFile().header(0, 2).key("twice", GgufType::kUint8).zeros(1).key("twice", GgufType::kUint8).zeros(1),
      "key 'twice' occurs twice in the metadata");
  check_damaged(
      RawFile().header(0, 1).string("a name that ends here").zeros(1),
      "the type of key 'a name that ends here' needs 4 bytes from byte 53, and the file ends at byte 54");
  check_damaged(RawFile().header(0, 1).key("k", static_cast<GgufType>(13)).zeros(8),
                "key 'k' has value type 13 at byte 33, and types go from 0 to 12");
  const std::string odd = "\x1b[31m\n\xff" + std::string(100, 'k');
  check_damaged(one_key(odd, static_cast<GgufType>(99)),
                "key '\\x1b[31m\\x0a\\xff" + std::string(57, 'k') +
                    "...' has value type 99 at byte 139, and types go from 0 to 12");
}

TEST_CASE("scalars and strings are checked") {
  check_damaged(
      one_key("a long enough name", GgufType::kUint64).zeros(3),
      "the value of key 'a long enough name' needs 8 bytes from byte 54, and the file ends at byte 57");
  check_damaged(one_key("k", GgufType::kBool).put<std::uint8_t>(2),
                "key 'k' is a bool of value 2 at byte 37, and 0 and 1 are allowed");
  check_damaged(one_key("k", GgufType::kString).zeros(4),
                "the string of key 'k' needs 8 bytes from byte 37, and the file ends at byte 41");
  check_damaged(one_key("k", GgufType::kString).put<std::uint64_t>(5).text("four"),
                "the string of key 'k' needs 5 bytes from byte 45, and the file ends at byte 49");
  check_damaged(
      one_key("k", GgufType::kString).put(kHuge).text("four"),
      "the string of key 'k' needs 18446744073709551615 bytes from byte 45, and the file ends at byte 49");
}

TEST_CASE("arrays are checked") {
  const auto array = [](GgufType type, std::uint64_t count) {
    return one_key("k", GgufType::kArray).put(type).put(count);
  };
  check_damaged(
      array(GgufType::kUint8, kHuge).zeros(10),
      "key 'k' claims an array of 18446744073709551615 elements at byte 41, and at most 10 fit into the "
      "rest of the file");
  check_damaged(
      array(GgufType::kFloat64, std::uint64_t{1} << 61).zeros(10),
      "key 'k' claims an array of 2305843009213693952 elements at byte 41, and at most 1 fit into the "
      "rest of the file");
  check_damaged(
      array(GgufType::kInt16, 6).zeros(11),
      "key 'k' claims an array of 6 elements at byte 41, and at most 5 fit into the rest of the file");
  check_damaged(
      array(GgufType::kString, 3).zeros(17),
      "key 'k' claims an array of 3 elements at byte 41, and at most 2 fit into the rest of the file");
  check_damaged(array(GgufType::kString, 2).string("long enough for two").zeros(4),
                "a string in the array of key 'k' needs 8 bytes from byte 76, and the file ends at byte 80");
  check_damaged(
      array(GgufType::kString, 1).put(kHuge),
      "a string in the array of key 'k' needs 18446744073709551615 bytes from byte 57, and the file ends "
      "at byte 57");
  check_damaged(array(GgufType::kBool, 3).put<std::uint8_t>(1).put<std::uint8_t>(7).put<std::uint8_t>(0),
                "the array of key 'k' has a bool that is neither 0 nor 1");
  check_damaged(array(static_cast<GgufType>(77), 1),
                "key 'k' has value type 77 at byte 37, and types go from 0 to 12");
  check_damaged(
      one_key("a long enough name", GgufType::kArray).put(GgufType::kUint8).zeros(2),
      "the array of key 'a long enough name' needs 8 bytes from byte 58, and the file ends at byte 60");
  check_refused(
      array(GgufType::kArray, 1).zeros(30).bytes(), ErrorCode::kUnsupported,
      "'m': key 'k' is an array of arrays, which no model needs and Partita does not read; remove the key "
      "or convert the model again");
}

TEST_CASE("the alignment is checked") {
  for (const std::uint32_t alignment : {0u, 1u, 4u, 33u, 48u, 131072u}) {
    check_damaged(aligned_to(alignment), "key 'general.alignment' is " + std::to_string(alignment) +
                                             ", and powers of two from 8 to 65536 are allowed");
  }
  check_damaged(one_key("general.alignment", GgufType::kString).string("32"),
                "key 'general.alignment' is not an unsigned integer");
  CHECK(Gguf::parse(aligned_to(8).bytes(), "m").ok());
  CHECK(Gguf::parse(aligned_to(65536).bytes(), "m").ok());
}

TEST_CASE("shapes of tensors are checked") {
  check_damaged(one_tensor({}, 0, 0, 64), "tensor 'w' claims 0 dimensions, and 1 to 4 are allowed");
  check_damaged(one_tensor({1, 1, 1, 1, 1}, 0, 0, 64),
                "tensor 'w' claims 5 dimensions, and 1 to 4 are allowed");
  check_damaged(RawFile().header(1, 0).string("w").put(0xffffffffu).zeros(64),
                "tensor 'w' claims 4294967295 dimensions, and 1 to 4 are allowed");
  check_damaged(one_tensor({4, 0}, 0, 0, 64),
                "tensor 'w' has dimension 0, and dimensions are at least 1 with a product below 2^63");
  check_damaged(
      one_tensor({kHuge}, 0, 0, 64),
      "tensor 'w' has dimension 18446744073709551615, and dimensions are at least 1 with a product below "
      "2^63");
  check_damaged(
      one_tensor({std::uint64_t{1} << 32, std::uint64_t{1} << 32}, 0, 0, 64),
      "tensor 'w' has dimension 4294967296, and dimensions are at least 1 with a product below 2^63");
  check_damaged(
      one_tensor({16, 2}, 2, 0, 64),
      "tensor 'w' of type Q4_0 has rows of 16 elements, which is not a multiple of its block of 32");
  check_damaged(
      one_tensor({std::uint64_t{1} << 62}, 0, 0, 64),
      "tensor 'w' of type F32 claims 4611686018427387904 elements, more than fit into the 128 bytes of the "
      "file");
}

TEST_CASE("names, types and offsets of tensors are checked") {
  check_damaged(RawFile().header(1, 0).string("").zeros(64),
                "a tensor's name at byte 24 claims a length of 0, and 1 to 65535 are allowed");
  check_damaged(
      RawFile().header(1, 0).string("a long enough name for it"),
      "the number of dimensions of tensor 'a long enough name for it' needs 4 bytes from byte 57, and the "
      "file ends at byte 57");
  check_damaged(
      RawFile().header(1, 0).string("a long enough name for it").put(1u).zeros(3),
      "the shape of tensor 'a long enough name for it' needs 8 bytes from byte 61, and the file ends at "
      "byte 64");
  const std::string supported =
      ", and the supported types are F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, "
      "IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ4_NL, IQ3_S, IQ2_S, IQ4_XS, IQ1_M, BF16, TQ1_0, TQ2_0, MXFP4, "
      "NVFP4, Q1_0, Q2_0; download the model in one of these";
  const auto check_type = [&](std::uint32_t type, const std::string& type_name) {
    const Bytes bytes = one_tensor({256}, type, 0, 512).bytes();
    const Result<Gguf> file = Gguf::parse(bytes, "m");
    REQUIRE(file.ok());
    CHECK(file->tensors().empty());
    REQUIRE(file->unsupported().size() == 1);
    CHECK(file->unsupported()[0].name == "w");
    CHECK(ggml_type_name(file->unsupported()[0].type) == type_name);
    CHECK(file->check_types().error().code == ErrorCode::kUnsupported);
    CHECK(file->check_types().error().message ==
          "'m': tensor 'w' has the element type " + type_name + supported);
  };
  check_type(15, "Q8_K");
  check_type(4, "4");
  check_type(0xffffffffu, "4294967295");
  const Bytes mixed = RawFile()
                          .header(3, 0)
                          .tensor("a", {256}, 9, 0)
                          .tensor("b", {8}, 0, 96)
                          .tensor("c", {256}, 15, 128)
                          .pad()
                          .zeros(512)
                          .bytes();
  const Gguf file = Gguf::parse(mixed, "m").value();
  CHECK(file.tensors().size() == 1);
  CHECK(file.unsupported()[1].tensors == 1);
  CHECK(file.check_types().error().message ==
        "'m': tensor 'a' and another have the element types Q8_1, Q8_K" + supported);
  check_damaged(one_tensor({8}, 0, 16, 64),
                "tensor 'w' has offset 16, which is not a multiple of the alignment 32");
  check_damaged(
      one_tensor({8}, 0, 0, 31),
      "tensor 'w' takes 32 bytes at offset 0, and the data section has only 31 bytes, so the file is "
      "probably cut short");
  check_damaged(
      one_tensor({8}, 0, 64, 64),
      "tensor 'w' takes 32 bytes at offset 64, and the data section has only 64 bytes, so the file is "
      "probably cut short");
  check_damaged(
      one_tensor({8}, 0, kHuge - 31, 64),
      "tensor 'w' takes 32 bytes at offset 18446744073709551584, and the data section has only 64 bytes, "
      "so the file is probably cut short");
  CHECK(Gguf::parse(one_tensor({8}, 0, 32, 64).bytes(), "m").ok());
}

TEST_CASE("tensors may not share a name or bytes") {
  const auto pair = [](std::string_view second, std::uint64_t offset) {
    return RawFile().header(2, 0).tensor("a", {16}, 0, 0).tensor(second, {16}, 0, offset).pad().zeros(128);
  };
  check_damaged(pair("a", 64), "tensor 'a' occurs twice in the file");
  check_damaged(pair("b", 32), "tensors 'a' and 'b' overlap in the file");
  CHECK(Gguf::parse(pair("b", 64).bytes(), "m").ok());
}

TEST_CASE("tensors may be in any order") {
  RawFile file = RawFile().header(2, 0).tensor("a", {8}, 0, 32).tensor("b", {8}, 0, 0).pad().zeros(64);
  CHECK(Gguf::parse(file.bytes(), "m").ok());
}
