/// Feeds every file of the folders it is given to a fuzz target: the seeds and whatever once broke it, without libFuzzer.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** folders) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator{folders[i]}) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) return std::fprintf(stderr, "no seeds\n"), 1;
  // Many seeds are each other's neighbours: the whole must stay a matter of seconds.
  const std::size_t neighbours = files.size() > 100 ? 4 : 64;
  for (const auto& file : files) {
    std::ifstream in{file, std::ios::binary};
    const std::vector<char> bytes{std::istreambuf_iterator<char>{in}, {}};
    std::printf("%s\n", file.filename().c_str());
    std::fflush(stdout);
    // Whole, cut off, and with one byte changed after the other: cheap neighbours of every seed.
    std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(copy.data(), copy.size());
    const std::size_t stride = copy.size() / neighbours + 1;
    for (std::size_t at = 0; at < copy.size(); at += stride) {
      LLVMFuzzerTestOneInput(copy.data(), at);
      copy[at] ^= 0x41;
      LLVMFuzzerTestOneInput(copy.data(), copy.size());
      copy[at] ^= 0x41;
    }
  }
  std::printf("%zu seeds\n", files.size());
  return 0;
}
