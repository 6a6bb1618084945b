// Writes the files that the tests of the whole program run on: `allocation_faults_test "[.files]"`, into the
// directory that $PARTITA_TINY_FILES names.
#include <cstdlib>
#include <filesystem>

#include "tests/api/convert/checkpoints.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;

TEST_CASE("Tiny files for tests of the program", "[.files]") {
  const char* directory = std::getenv("PARTITA_TINY_FILES");
  REQUIRE(directory != nullptr);
  const ChatModelFile model;
  fs::copy_file(model.path(), fs::path(directory) / "tiny.gguf");
  const Checkpoint checkpoint;
  checkpoint.write();
  fs::copy(checkpoint.directory(), fs::path(directory) / "checkpoint");
}

}  // namespace
}  // namespace partita::internal::testing
