// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/mb_engine.hh"

#include <cassert>
#include <stdexcept>

namespace crypto {
MbEngine::MbEngine() : manager_{alloc_mb_mgr(0)} {
  if (manager_ == nullptr) throw std::runtime_error{"IPsec-MB: no memory for a manager"};
  init_mb_mgr_auto(manager_.get(), nullptr);
  if (const int e = imb_get_errno(manager_.get()); e != 0)
    throw std::runtime_error{std::string{"IPsec-MB: "} + imb_get_strerror(e)};
  seal_ = {manager_->gcm128_enc, manager_->gcm256_enc};
  open_ = {manager_->gcm128_dec, manager_->gcm256_dec};
}

MbEngine::~MbEngine() {
  wipe(&context_, sizeof context_);
}

void MbEngine::expand(Algorithm a, std::span<const std::uint8_t> key, GcmKey& out) const noexcept {
  assert(key.size() == key_size(a));
  if (a == Algorithm::AesGcm128)
    IMB_AES128_GCM_PRE(manager_.get(), key.data(), &out.data);
  else
    IMB_AES256_GCM_PRE(manager_.get(), key.data(), &out.data);
}
}  // namespace crypto
