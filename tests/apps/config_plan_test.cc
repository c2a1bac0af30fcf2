// SPDX-License-Identifier: BSD-3-Clause
// A configuration as a whole: what a plan says, that it is all or nothing, and that what stays is
// left alone.
#include "tests/apps/config_lab.hh"
#include "tests/apps/random_config.hh"

namespace {
using test::ConfigLab;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kBase = R"([sysctl]
"net.inet.ip.forwarding" = true
[[interface]]
driver = "idle"
name = "lan0"
options = {device = "a"}
address = "10.1.0.1/24"
[[interface]]
driver = "vlan"
name = "lan0.7"
options = {parent = "lan0", id = 7}
address = "10.7.0.1/24"
[[interface]]
driver = "idle"
name = "wan0"
options = {device = "b"}
address = "192.0.2.1/24"
[[tunnel]]
name = "ipsec0"
local = "192.0.2.1"
remote = "198.51.100.1"
[[sa]]
tunnel = "ipsec0"
direction = "out"
spi = 0x1001
algorithm = "aes-gcm-256"
key_file = "/k/out"
[[sa]]
tunnel = "ipsec0"
direction = "in"
spi = 0x2001
algorithm = "aes-gcm-128"
key_file = "/k/in.128"
[[route]]
prefix = "default"
via = "192.0.2.254"
[[route]]
prefix = "10.2.0.0/16"
interface = "ipsec0"
[[neighbor]]
interface = "lan0"
address = "10.1.0.9"
mac = "02:00:00:00:00:09"
)";

/// kBase with one text in another's place.
std::string base_with(const std::string& from, const std::string& to) {
  std::string text = kBase;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

void must_join(polluxd::Manager& m, const char* name, std::uint32_t group) {
  const auto joined = m.join_group(name, core::IpAddress{group});
  EXPECT_TRUE(joined) << (joined ? "" : joined.error().context);
}

struct Plans : testing::Test {
  Plans() { lab.apply(kBase); }
  std::vector<std::string> lines(const std::string& text) {
    return ConfigLab::lines(lab.plan(text));
  }
  ConfigLab lab;
};

TEST_F(Plans, NothingToDo) {
  const auto plan = lab.plan(kBase);
  EXPECT_TRUE(plan.nothing());
  EXPECT_TRUE(plan.steps.empty());
}

TEST_F(Plans, SayWhatComesAndGoes) {
  EXPECT_THAT(
      lines(""),
      testing::UnorderedElementsAre(
          "- neighbor lan0 10.1.0.9: 02:00:00:00:00:09",
          "- route 0.0.0.0/0: via 192.0.2.254 interface wan0",
          "- route 10.2.0.0/16: interface ipsec0", "- tunnel ipsec0: 192.0.2.1 to 198.51.100.1",
          "- interface lan0: idle device=a, 10.1.0.1/24",
          "- interface lan0.7: vlan id=7 parent=lan0, 10.7.0.1/24",
          "- interface wan0: idle device=b, 192.0.2.1/24",
          "~ sysctl net.inet.ip.forwarding: 1 -> 0",
          "- sa ipsec0 in 0x00002001: aes-gcm-128, replay window 128, key from /k/in.128",
          "- sa ipsec0 out 0x00001001: aes-gcm-256, key from /k/out"));
  EXPECT_THAT(lines(kBase + std::string{"[[route]]\nprefix = \"10.9.0.0/16\"\nkind = "
                                        "\"blackhole\"\n"}),
              ElementsAre("+ route 10.9.0.0/16: blackhole"));
}

TEST_F(Plans, SayWhatChanges) {
  EXPECT_THAT(lines(base_with("\"10.1.0.1/24\"", "[\"10.1.0.2/24\", \"10.1.0.1/24\"]\nmtu = 1400")),
              ElementsAre("~ interface lan0: +10.1.0.2/24, mtu default -> 1400"));
  EXPECT_THAT(lines(base_with("192.0.2.254", "192.0.2.253")),
              ElementsAre("~ route 0.0.0.0/0: via 192.0.2.254 interface wan0 -> via 192.0.2.253 "
                          "interface wan0"));
  EXPECT_THAT(
      lines(
          base_with("via = \"192.0.2.254\"",
                    "nexthops = [{ via = \"192.0.2.254\", weight = 2 }, { via = \"10.1.0.3\" }]")),
      ElementsAre("~ route 0.0.0.0/0: via 192.0.2.254 interface wan0 -> nexthop via 192.0.2.254 "
                  "weight 2 nexthop via 10.1.0.3 weight 1"));
  EXPECT_THAT(lines(base_with("via = \"192.0.2.254\"", "via = \"10.9.9.9\"\nrecursive = true")),
              ElementsAre("~ route 0.0.0.0/0: via 192.0.2.254 interface wan0 -> recursive via "
                          "10.9.9.9"));
  EXPECT_THAT(lines(base_with("0:09", "0:0a")),
              ElementsAre("~ neighbor lan0 10.1.0.9: 02:00:00:00:00:09 -> 02:00:00:00:00:0a"));
  EXPECT_THAT(
      lines(base_with("remote = \"198.51.100.1\"", "remote = \"198.51.100.1\"\nup = false")),
      ElementsAre("~ tunnel ipsec0: up -> down"));
}

TEST_F(Plans, JoinAndLeaveGroups) {
  const auto with = [](const std::string& groups) {
    return base_with("address = \"10.1.0.1/24\"",
                     "address = \"10.1.0.1/24\"\ngroups = [" + groups + "]");
  };
  const auto saved = [&] { return lab.manager.configuration().interfaces.at(0).groups; };
  EXPECT_THAT(lines(with("\"239.1.2.3\", \"ff05::2\"")),
              ElementsAre("~ interface lan0: +group 239.1.2.3, +group ff05::2"));
  lab.apply(with("\"239.1.2.3\", \"ff05::2\""));
  EXPECT_EQ(saved().size(), 2u);
  EXPECT_TRUE(lab.plan(with("\"ff05::2\", \"239.1.2.3\"")).nothing()) << "in any order";
  EXPECT_THAT(lines(with("\"239.9.9.9\", \"ff05::2\"")),
              ElementsAre("~ interface lan0: -group 239.1.2.3, +group 239.9.9.9"));
  lab.apply(with("\"239.9.9.9\", \"ff05::2\""));
  EXPECT_THAT(polluxd::to_toml(lab.manager.configuration()),
              HasSubstr("groups = [\"239.9.9.9\", \"ff05::2\"]"));
  must_join(lab.manager, "lan0", 0xef000001);
  EXPECT_EQ(saved().size(), 3u) << "as plx ifconfig joins it";
  lab.apply(kBase);
  EXPECT_TRUE(saved().empty());
}

TEST_F(Plans, MakeAnewWhatIsAnotherDevice) {
  EXPECT_THAT(lines(base_with("{device = \"a\"}", "{device = \"c\"}")),
              testing::UnorderedElementsAre(
                  "~ interface lan0: made anew: idle device=a, 10.1.0.1/24 -> idle device=c, "
                  "10.1.0.1/24",
                  "~ interface lan0.7: made anew: what it stands on changes",
                  "~ neighbor lan0 10.1.0.9: made anew: what it leans on changes"));
  EXPECT_TRUE(lines(base_with("{device = \"a\"}", "{speed = 10, device = \"a\"}")).empty())
      << "that is the default";
}

TEST_F(Plans, NameKeysWithoutShowingThem) {
  EXPECT_THAT(lines(base_with("/k/out", "/k/other")),
              ElementsAre("~ sa ipsec0 out 0x00001001: made anew: another key"));
  const auto plan =
      lab.plan(base_with("direction = \"out\"\nspi = 0x1001", "direction = \"out\"\nspi = 0x1002"));
  EXPECT_THAT(ConfigLab::lines(plan),
              ElementsAre(StartsWith("- sa ipsec0 out 0x00001001"),
                          StartsWith("+ sa ipsec0 out 0x00001002: aes-gcm-256, key from /k/out")));
}

TEST_F(Plans, NameWhatTakesARestart) {
  const auto plan =
      lab.plan(kBase + std::string{"[limits]\nroutes = 5000\n[workers]\ncount = 2\n"});
  EXPECT_THAT(plan.restart, ElementsAre("workers.count: 1 -> 2", "limits.routes: 4096 -> 5000"));
  EXPECT_TRUE(plan.steps.empty());
  EXPECT_FALSE(plan.nothing());
}

/// A route whose gateway's subnet stays is not touched when the address in it is exchanged.
TEST_F(Plans, ExchangeAnAddressUnderARoute) {
  const std::string text = base_with("192.0.2.1/24\"", "192.0.2.2/24\"");
  EXPECT_THAT(lines(text), ElementsAre("~ interface wan0: -192.0.2.1/24, +192.0.2.2/24"));
  lab.apply(text);
  EXPECT_TRUE(lab.plan(text).nothing());
}

TEST_F(Plans, AnSaThatStaysKeepsItsSequenceNumber) {
  const auto before = lab.manager.sas();
  lab.sa(0x1001).sequence.fetch_add(1000);  // as the workers do for each packet
  lab.apply(base_with("mac = \"02:00:00:00:00:09\"", "mac = \"02:00:00:00:00:08\""));
  EXPECT_EQ(lab.sequence(0x1001), 1000u);
  // Parked and put back, through a tunnel that is made anew on the way.
  const auto plan = lab.plan(base_with("remote = \"198.51.100.1\"", "remote = \"198.51.100.2\""));
  auto undo = polluxd::carry_out(plan);
  ASSERT_TRUE(undo);
  EXPECT_EQ(lab.sequence(0x1001), 0u);
  EXPECT_THAT(undo->undo(), testing::IsEmpty());
  EXPECT_EQ(lab.sequence(0x1001), 1000u);
  EXPECT_EQ(lab.manager.sas().size(), before.size());
}

TEST_F(Plans, RefuseWhatDoesNotFitTogether) {
  const std::string before = lab.state();
  EXPECT_THAT(lab.refused(base_with("via = \"192.0.2.254\"", "via = \"172.30.0.1\"")),
              StartsWith("c.toml:36:7: route 0.0.0.0/0: gateway 172.30.0.1 is on no subnet"));
  EXPECT_EQ(lab.state(), before);
}

TEST_F(Plans, SayWhichStepFailed) {
  const std::string before = lab.state();
  EXPECT_THAT(lab.refused(base_with("{device = \"b\"}", "{device = \"broken\"}")),
              testing::AllOf(StartsWith("c.toml:13:1: interface wan0: "), HasSubstr("is broken"),
                             HasSubstr("; nothing has changed")));
  EXPECT_EQ(lab.state(), before);
}

TEST_F(Plans, SwapDevicesAndNames) {
  const std::string text = R"(
[[interface]]
driver = "idle"
name = "wan0"
options = {device = "a"}
[[interface]]
driver = "idle"
name = "lan0"
options = {device = "b"}
)";
  lab.apply(text);
  EXPECT_TRUE(lab.plan(text).nothing());
  lab.apply(kBase);
  EXPECT_TRUE(lab.plan(kBase).nothing());
}

struct Confirm : Plans {
  Confirm() { lab.configuration.poll(5'000'000); }
  void at(std::uint64_t seconds) { lab.configuration.poll(5'000'000 + seconds * 1'000'000); }
  const std::string other = base_with("0x2001", "0x2002");
};

TEST_F(Confirm, InTime) {
  lab.apply(other, 60);
  EXPECT_EQ(lab.configuration.waits_s(), 60u);
  at(59);
  EXPECT_EQ(lab.configuration.waits_s(), 1u);
  EXPECT_TRUE(lab.configuration.confirm());
  at(61);
  EXPECT_TRUE(lab.plan(other).nothing());
  EXPECT_EQ(lab.configuration.confirm().error().code, core::Errc::NotFound);
}

TEST_F(Confirm, TooLate) {
  const std::string before = lab.state();
  lab.apply(other, 60);
  at(60);
  EXPECT_EQ(lab.state(), before);
  EXPECT_EQ(lab.configuration.waits_s(), std::nullopt);
  EXPECT_EQ(lab.configuration.confirm().error().code, core::Errc::NotFound);
}

TEST_F(Confirm, OneAtATime) {
  lab.apply(other, 60);
  const std::string before = lab.state();
  at(10);
  EXPECT_THAT(lab.refused(kBase), HasSubstr("waits to be confirmed, for 50 s more"));
  EXPECT_EQ(lab.state(), before);
}

TEST_F(Confirm, NothingDoneNothingToConfirm) {
  lab.apply(kBase, 60);
  EXPECT_EQ(lab.configuration.waits_s(), std::nullopt);
}

TEST(CommandLine, StandsBesideTheFile) {
  polluxd::InterfaceSpec device;
  device.driver = "idle";
  device.options = {{"device", "d"}};
  ConfigLab lab{{.devices = {device}, .forward = true, .workers = {}}};
  lab.apply("");
  EXPECT_TRUE(lab.plan("").nothing());
  EXPECT_EQ(lab.manager.interfaces().at(0).name, "idle0");
  const std::string saved = lab.configuration.save().text;
  EXPECT_THAT(saved, HasSubstr("idle0"));
  EXPECT_TRUE(lab.plan(saved).nothing());
}

TEST(Save, LeavesOutSasWhoseKeyIsInNoFile) {
  ConfigLab lab;
  lab.apply(kBase);
  crypto::SaSpec sa;
  sa.tunnel = "ipsec0";
  sa.direction = crypto::Direction::Out;
  sa.spi = 0x1009;
  sa.key = *test::key_in("api");
  ASSERT_TRUE(lab.manager.add_sa(sa));
  const auto saved = lab.configuration.save();
  ASSERT_EQ(saved.without_key.size(), 1u);
  EXPECT_EQ(saved.without_key[0].spi, 0x1009u);
  EXPECT_THAT(saved.text, testing::Not(HasSubstr("0x00001009")));
  EXPECT_THAT(ConfigLab::lines(lab.plan(saved.text)),
              ElementsAre("- sa ipsec0 out 0x00001009: aes-gcm-256"));
}

/// What was applied is what is saved, and what is saved is what runs: whichever way it came about.
TEST(RandomConfigs, RoundTrip) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    test::RandomConfig random{seed, /*groups=*/true};
    ConfigLab lab;
    std::string text;
    for (int n = 0; n < 3; ++n) {
      text = random.next();
      SCOPED_TRACE(testing::Message() << "seed " << seed << " number " << n << "\n" << text);
      lab.apply(text);
      EXPECT_THAT(ConfigLab::lines(lab.plan(text)), testing::IsEmpty());
      const std::string saved = lab.configuration.save().text;
      EXPECT_TRUE(lab.plan(saved).nothing()) << saved;
      EXPECT_TRUE(lab.plan(saved).steps.empty());
      if (testing::Test::HasFailure()) return;
    }
    const std::string saved = lab.configuration.save().text;
    lab.apply("");
    lab.apply(text);
    EXPECT_EQ(lab.configuration.save().text, saved) << "seed " << seed;
    if (testing::Test::HasFailure()) return;
  }
}

/// A failure at every step, and a way back from the end: the state is as it was.
TEST(RandomConfigs, UndoneFromEveryStep) {
  for (std::uint32_t seed = 1; seed <= 25; ++seed) {
    test::RandomConfig random{seed, /*groups=*/false};
    ConfigLab lab;
    lab.apply(random.next());
    const std::string text = random.next();
    SCOPED_TRACE(testing::Message() << "seed " << seed << "\n" << text);
    const std::string before = lab.state();
    const std::size_t steps = lab.plan(text).steps.size();
    for (std::size_t k = 0; k < steps; ++k) {
      auto plan = lab.plan(text);
      plan.steps[k].take = []() -> core::Expected<polluxd::ConfigStepDone> {
        return core::Error{core::Errc::DeviceFailed, "injected"};
      };
      const auto done = polluxd::carry_out(plan);
      ASSERT_FALSE(done);
      EXPECT_THAT(done.error().context, HasSubstr("injected"));
      EXPECT_THAT(done.error().context, HasSubstr("; nothing has changed"));
      ASSERT_EQ(lab.state(), before) << "failed at step " << k << ": " << plan.steps[k].what;
    }
    auto undo = polluxd::carry_out(lab.plan(text));
    ASSERT_TRUE(undo) << undo.error().context;
    EXPECT_THAT(undo->undo(), testing::IsEmpty());
    ASSERT_EQ(lab.state(), before);
  }
}
}  // namespace
