// Escaping of text from files and of paths in error messages, against terminal escape sequences.
#include <partita/text.hpp>

#include "tests/catch.h"
#include "weights/sentence.h"

using namespace partita;

using namespace partita::internal;

TEST_CASE("terminal control characters are escaped, and text of every language is kept") {
  CHECK(printable("") == "");
  CHECK(printable("model é 日本語 🎉.gguf") == "model é 日本語 🎉.gguf");
  CHECK(printable("\x1b[2J\n\t\x7f") == "\\x1b[2J\\x0a\\x09\\x7f");
  CHECK(printable(std::string_view("\0a", 2)) == "\\x00a");
  CHECK(printable("\u009b31m\u00a0") == "\\xc2\\x9b31m\u00a0");
  CHECK(printable("a\u202eb\u2066c\u200fd\u2028e\u2030") ==
        "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6c\\xe2\\x80\\x8fd\\xe2\\x80\\xa8e\u2030");
  CHECK(printable("\xff\xc3") == "\\xff\\xc3");
  CHECK(printable("\xc0\x9b\xe2\x80") == "\\xc0\\x9b\\xe2\\x80");
  CHECK(printable("\xf5\x80\x80\x80") == "\\xf5\\x80\\x80\\x80");
}

TEST_CASE("quoted text is short and ASCII") {
  CHECK(partita::internal::quoted("a\x1b'é") == "'a\\x1b'\\xc3\\xa9'");
  CHECK(shortened(std::string(64, 'x')) == std::string(64, 'x'));
  CHECK(partita::internal::quoted(std::string(65, 'x')) == "'" + std::string(64, 'x') + "...'");
}
