#pragma once
/// How much may be on its way to a peer. The peer's grants bound it, and the pace of the link does: what is on its way
/// should be there within half a heartbeat, so that a slow link carries signs of life and answers between large frames.
///
/// The pace is found like TCP finds it: the permission doubles when what fills it is granted quickly, and halves when
/// that takes longer than half a heartbeat. Positions are cumulative; bytes are those of frames.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <midplane/time.hpp>

#include "base/defect.hpp"

namespace midplane::inline v0::link {

class Window {
 public:
  /// Of a link that has shown nothing yet; and the least a link is given, whatever it shows.
  static constexpr std::uint64_t first_bytes = 4096;
  static constexpr std::uint64_t least_bytes = 2048;

  explicit Window(Duration heartbeat) noexcept : heartbeat_{heartbeat} {}
  /// As the peer's hello says.
  void set_bounds(std::uint64_t bytes, std::uint32_t records) noexcept {
    bytes_max_ = std::max(bytes, least_bytes);
    records_max_ = std::max(records, 1u);
    allowed_ = std::min(allowed_, bytes_max_);
  }

  /// Room for one more data record. Whatever its size, one may go when nothing else is on its way.
  [[nodiscard]] bool has_room(std::size_t bytes) const noexcept {
    return (sent_bytes_ - taken_bytes_ + bytes <= allowed_ || sent_bytes_ == taken_bytes_) &&
           sent_records_ - taken_records_ < records_max_;
  }
  /// No frame should be larger: half of what may be on its way.
  [[nodiscard]] std::size_t frame_bytes() const noexcept { return static_cast<std::size_t>(allowed_ / 2); }
  /// Whether a frame should ask for a grant. The peer grants by quarters of the whole window: below that it has to be
  /// asked, and above it now and then, to see whether the link is still as quick. Control alone asks only when it fills
  /// half of what is allowed.
  [[nodiscard]] bool wants_grant(bool has_data) const noexcept {
    if (!has_data) return (sent_bytes_ - taken_bytes_) * 2 > allowed_;
    return allowed_ < bytes_max_ || (probe_at_ == 0 && sent_bytes_ - probed_bytes_ >= allowed_ / 4);
  }

  void sent(std::size_t bytes, std::uint32_t data_records) noexcept {
    sent_bytes_ += bytes;
    sent_records_ += data_records;
    fullest_ = std::max(fullest_, sent_bytes_ - taken_bytes_);
  }
  /// A frame that wants a grant leaves: from here the time of its way is taken.
  void leaves(Instant now) noexcept {
    if (probe_at_ != 0) return;
    probe_at_ = sent_bytes_;
    probe_left_ = now;
  }
  /// How many data records are newly known to have arrived; none when the peer grants more than was ever sent.
  [[nodiscard]] std::uint64_t granted(std::uint64_t bytes, std::uint32_t records, Instant now) noexcept {
    const std::uint64_t news = records - static_cast<std::uint32_t>(taken_records_);
    if (bytes < taken_bytes_ || bytes > sent_bytes_ || news > sent_records_ - taken_records_) return 0;
    taken_bytes_ = bytes;
    taken_records_ += news;
    if (probe_at_ != 0 && bytes >= probe_at_) {
      const Duration way = now - probe_left_;
      if (way > heartbeat_ / 2) allowed_ = std::max(allowed_ / 2, least_bytes);
      else if (way < heartbeat_ / 8 && fullest_ * 2 >= allowed_) allowed_ = std::min(allowed_ * 2, bytes_max_);
      probe_at_ = 0;
      probed_bytes_ = sent_bytes_;
      fullest_ = sent_bytes_ - taken_bytes_;
    }
    return base::defect(base::Defect::grant_counted_twice) ? 2 * news : news;
  }
  [[nodiscard]] std::uint64_t packed_bytes() const noexcept { return sent_bytes_; }
  [[nodiscard]] std::uint64_t unknown_records() const noexcept { return sent_records_ - taken_records_; }
  [[nodiscard]] std::uint64_t unknown_bytes() const noexcept { return sent_bytes_ - taken_bytes_; }

 private:
  Duration heartbeat_;
  std::uint64_t bytes_max_ = std::uint64_t{4} << 20;
  std::uint32_t records_max_ = 65'536;
  std::uint64_t allowed_ = first_bytes;
  std::uint64_t sent_bytes_ = 0, taken_bytes_ = 0;
  std::uint64_t sent_records_ = 0, taken_records_ = 0;
  std::uint64_t fullest_ = 0;   ///< most bytes on their way since the last probe
  std::uint64_t probe_at_ = 0;  ///< the position whose grant is timed; 0: none
  std::uint64_t probed_bytes_ = 0;
  Instant probe_left_{};
};

/// The receiving half: when to tell the peer what was taken.
class Intake {
 public:
  Intake(std::uint64_t bytes_max, std::uint32_t records_max) noexcept : bytes_max_{bytes_max}, records_max_{records_max} {}

  void took(std::size_t bytes, std::uint32_t data_records) noexcept {
    bytes_ += bytes;
    records_ += data_records;
  }
  [[nodiscard]] bool is_due() const noexcept {
    return bytes_ - told_bytes_ >= bytes_max_ / 4 || records_ - told_records_ >= records_max_ / 4;
  }
  [[nodiscard]] bool has_news() const noexcept { return records_ != told_records_ || bytes_ - told_bytes_ >= bytes_max_ / 16; }
  void tell() noexcept {
    told_bytes_ = bytes_;
    told_records_ = records_;
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }

 private:
  std::uint64_t bytes_max_, bytes_ = 0, told_bytes_ = 0;
  std::uint64_t records_max_, records_ = 0, told_records_ = 0;
};

}  // namespace midplane::inline v0::link
