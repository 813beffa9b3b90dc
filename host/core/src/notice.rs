//! What a person has to be told of operations that went well otherwise, kept until somebody tells it.

use std::sync::{Arc, Mutex, PoisonError};

/// The most notices that wait to be told: a read of ten thousand secrets must not print ten thousand lines.
const MOST: usize = 100;

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A sentence without secret values.
    pub text: String,
    /// Whether only somebody who asks for details (`-v`) wants to know.
    pub is_detail: bool,
}

/// Notices of one process, told by the command line or by a server as each has it. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Notices(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    notices: Vec<Notice>,
    dropped: usize,
}

impl Notices {
    /// A warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.push(Notice { text: text.into(), is_detail: false });
    }

    /// A detail.
    pub fn detail(&self, text: impl Into<String>) {
        self.push(Notice { text: text.into(), is_detail: true });
    }

    fn push(&self, notice: Notice) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.notices.len() < MOST {
            waiting.notices.push(notice);
        } else if !notice.is_detail {
            waiting.dropped += 1;
        }
    }

    /// What waits to be told, in the order in which it happened; nothing waits afterwards.
    pub fn take(&self) -> Vec<Notice> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut notices = waiting.notices;
        if waiting.dropped > 0 {
            notices
                .push(Notice { text: format!("and {} more warnings like these", waiting.dropped), is_detail: false });
        }
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_warnings_is_counted_and_not_kept() {
        let notices = Notices::default();
        (0..MOST + 7).for_each(|number| notices.clone().warn(format!("{number}")));
        notices.detail("left out");
        let told = notices.take();
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(told.last().map(|notice| notice.text.as_str()), Some("and 7 more warnings like these"));
        assert!(notices.take().is_empty());
    }
}
