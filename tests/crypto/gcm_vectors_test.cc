// SPDX-License-Identifier: BSD-3-Clause
// AES-GCM against NIST's CAVS vectors, as Debian's python3-cryptography-vectors installs them: all
// with the sizes that ESP uses, a 96-bit IV and a 128-bit tag.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "crypto/mb_engine.hh"
#include "tests/support/packet.hh"

namespace {
using crypto::Algorithm;
using test::Packet;

const std::string kFolder = "/usr/lib/python3/dist-packages/cryptography_vectors/ciphers/AES/GCM/";

/// One "Count = n" of a .rsp file, with the "[name = value]" lines it stands under.
using Record = std::map<std::string, std::string>;

std::vector<Record> read_records(const std::string& path) {
  std::vector<Record> records;
  Record section;
  std::ifstream file{path};
  for (std::string line; std::getline(file, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line == "FAIL" && !records.empty()) records.back()["FAIL"] = "";
    const std::size_t equals = line.find(" =");
    if (equals == std::string::npos || line.front() == '#') continue;
    const std::string value = line.substr(std::min(line.size(), equals + 3));
    if (line.front() == '[')
      section[line.substr(1, equals - 1)] = value.substr(0, value.find(']'));
    else if (line.starts_with("Count"))
      records.push_back(section);
    else
      records.back()[line.substr(0, equals)] = value;
  }
  return records;
}

bool esp_sizes(const Record& r) {
  return r.at("IVlen") == "96" && r.at("Taglen") == "128";
}

class Nist : public testing::TestWithParam<Algorithm> {
protected:
  [[nodiscard]] std::vector<Record> records(const std::string& stem) const {
    const auto all = read_records(kFolder + stem +
                                  (GetParam() == Algorithm::AesGcm128 ? "128" : "256") + ".rsp");
    std::vector<Record> fitting;
    std::copy_if(all.begin(), all.end(), std::back_inserter(fitting), esp_sizes);
    return fitting;
  }
  void expand(const Record& r) { engine.expand(GetParam(), test::from_hex(r.at("Key")), key); }
  static crypto::GcmNonce nonce(const Record& r) {
    const Packet iv = test::from_hex(r.at("IV"));
    std::uint32_t salt;
    std::memcpy(&salt, iv.data(), sizeof salt);
    return {salt, crypto::load_native64(iv.data() + sizeof salt)};
  }

  crypto::MbEngine engine;
  crypto::GcmKey key{};
};

TEST_P(Nist, Encrypts) {
  const auto all = records("gcmEncryptExtIV");
  ASSERT_EQ(all.size(), 375u) << "are the vectors of python3-cryptography-vectors installed?";
  for (const Record& r : all) {
    expand(r);
    Packet text = test::from_hex(r.at("PT"));
    Packet tag(crypto::MbEngine::kIcvSize);
    engine.seal(GetParam(), key, nonce(r), test::from_hex(r.at("AAD")), text, tag.data());
    EXPECT_EQ(text, test::from_hex(r.at("CT"))) << r.at("Key");
    EXPECT_EQ(tag, test::from_hex(r.at("Tag"))) << r.at("Key");
  }
}

TEST_P(Nist, Decrypts) {
  const auto all = records("gcmDecrypt");
  ASSERT_EQ(all.size(), 375u) << "are the vectors of python3-cryptography-vectors installed?";
  std::size_t refused = 0;
  for (const Record& r : all) {
    expand(r);
    Packet text = test::from_hex(r.at("CT"));
    const Packet tag = test::from_hex(r.at("Tag"));
    const bool genuine =
        engine.open(GetParam(), key, nonce(r), test::from_hex(r.at("AAD")), text, tag.data());
    EXPECT_EQ(genuine, !r.contains("FAIL")) << r.at("Key");
    if (genuine)
      EXPECT_EQ(text, test::from_hex(r.at("PT"))) << r.at("Key");
    else
      ++refused;
  }
  EXPECT_GT(refused, 100u);  // the files do hold forgeries
}

INSTANTIATE_TEST_SUITE_P(Aes, Nist, testing::Values(Algorithm::AesGcm128, Algorithm::AesGcm256),
                         [](const auto& p) {
                           return p.param == Algorithm::AesGcm128 ? "128" : "256";
                         });
}  // namespace
