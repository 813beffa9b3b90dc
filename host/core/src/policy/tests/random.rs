//! Random roles and paths, decided by Cedar and by the plainest model of what roles mean.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;

/// A small generator (xorshift64*): the same cases in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % most
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// Texts that are like each other, with what is special to Cedar's texts and patterns among them.
    fn segment(&mut self) -> String {
        let parts = ["a", "A", "b", "ab", "*", "\"", "\\", "\\u{61}", "'", "é", "::", "."];
        (0..=self.below(2)).map(|_| self.of(&parts)).collect()
    }

    fn path(&mut self) -> String {
        let segments: Vec<String> = (0..=self.below(3)).map(|_| self.segment()).collect();
        segments.join("/")
    }

    /// A pattern that a path is likely to fit.
    fn pattern(&mut self, near: &str) -> String {
        let provider = self.of(&["dev", "prod", "*"]);
        let near = if self.below(3) == 0 { self.path() } else { near.to_owned() };
        let written = |text: &str| text.replace('*', "%2A");
        let mut segments: Vec<String> = near.split('/').map(written).collect();
        if self.below(3) == 0 {
            segments.truncate(self.below(segments.len() + 1));
            segments.push("**".to_owned());
        } else {
            for segment in &mut segments {
                *segment = match self.below(6) {
                    0 => "*".to_owned(),
                    1 => format!("{}*", segment.get(..1).unwrap_or_default()),
                    2 => format!("*{segment}"),
                    _ => continue,
                };
            }
        }
        format!("store://{provider}/{}", segments.join("/"))
    }

    fn rule(&mut self, near: &str) -> String {
        let actions = ["*", "read", "write", "destroy", "get", "set", "list", "purge", "check", "set-state"];
        format!("{} {}", self.of(&actions), self.pattern(near))
    }
}

/// What roles mean, said once more and in no Cedar.
fn model(roles: &[Role], action: Action, provider: &str, subject: &str) -> bool {
    let holds = |rule: &Rule, is_denial: bool| {
        let fits = rule.pattern.provider().is_none_or(|name| name == provider);
        let named = matches(&rule.pattern, provider, subject, is_denial);
        let is_full = is_denial && subject.matches(':').count() >= 3 && !rule.pattern.is_whole();
        let is_tested = !is_denial && action == Action::Check;
        rule.actions.holds(action) && fits && (named || is_full || is_tested)
    };
    let mine: Vec<&Role> = roles.iter().filter(|role| role.members.iter().any(|member| alice().is(member))).collect();
    let denied = mine.iter().any(|role| role.deny.iter().any(|rule| holds(rule, true)));
    !denied && mine.iter().any(|role| role.allow.iter().any(|rule| holds(rule, false)))
}

#[test]
fn random_roles_mean_in_cedar_what_the_model_says() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut allowed, mut denied) = (0, 0);
    for _ in 0..200 {
        let path = random.path();
        let mut written = Written::default();
        for name in ["one", "two", "three"] {
            let members = vec![random.of(&["user:alice", "group:50", "user:7", "group:other"]).parse().unwrap()];
            // What is no pattern is one less.
            let mut rules = |most: usize| -> Vec<Rule> {
                let texts: Vec<String> = (0..random.below(most)).map(|_| random.rule(&path)).collect();
                let at = crate::config::At { line: 1, column: 1 };
                texts.iter().filter_map(|text| Rule::parse(text, at).ok()).collect()
            };
            let (allow, deny) = (rules(5), rules(3));
            written.roles.insert(name.to_owned(), Role { members, allow, deny });
        }
        let roles: Vec<Role> = written.roles.values().cloned().collect();
        // What roles are made into fits the schema, so nobody has to look at it each time.
        super::super::rules::check(&shown(&written)).unwrap();
        let source = Source { place: place(Owner::User), written: Ok(written) };
        let policy = Policy::new(&[source], alice(), None);
        for _ in 0..30 {
            let path = if random.below(2) == 0 { path.clone() } else { random.path() };
            let action = Action::ALL[random.below(Action::ALL.len())];
            let provider = random.of(&["dev", "prod", "other"]);
            if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
                continue;
            }
            let (path, subject) = match action {
                Action::Check => (String::new(), String::new()),
                Action::List => (path.clone(), format!("{path}/")),
                _ => (path.clone(), path),
            };
            let decision = policy.decide(action, provider, &path);
            let expected = model(&roles, action, provider, &subject);
            assert_eq!(decision.is_allowed, expected, "{action:?} {provider} {path}: {decision:?} {roles:#?}");
            if expected { allowed += 1 } else { denied += 1 }
        }
    }
    // Cases that are all the same would prove nothing.
    assert!(allowed > 500 && denied > 500, "{allowed} {denied}");
}

#[test]
fn a_star_of_cedars_alone_would_cross_a_slash_and_the_condition_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let by_hand = r#"permit (principal, action, resource) when { resource.path like "app/*" };"#;
    let by_hand = cedar(&directory, by_hand, "");
    let role = policy("[policy.roles.r]\nmembers = [\"user:alice\"]\nallow = [\"get store://dev/app/*\"]\n");
    for (path, in_role) in [("app/db", true), ("app/team/root", false)] {
        assert!(by_hand.decide(Action::Get, "dev", path).is_allowed);
        assert_eq!(role.decide(Action::Get, "dev", path).is_allowed, in_role, "{path}");
    }
}
