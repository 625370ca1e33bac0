//! LIST and LSUB over the names of an account (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 6154).

use std::collections::{BTreeMap, BTreeSet};

use imap::MailboxName;
use imap::command::{ListReturn, ListSelection, SpecialUse};
use imap::response::ListAttribute;

/// The names of an account, as one read found them.
#[derive(Debug, Default)]
pub struct Names {
    /// Mailboxes with their special use.
    pub mailboxes: BTreeMap<MailboxName, Option<SpecialUse>>,
    /// Names subscribed to, with a mailbox or without.
    pub subscribed: BTreeSet<MailboxName>,
}

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The name.
    pub name: MailboxName,
    /// Its attributes, in the order printed.
    pub attributes: Vec<ListAttribute>,
    /// A subscribed name below matched, and RECURSIVEMATCH was asked for.
    pub child_subscribed: bool,
    /// There is a mailbox of that name: STATUS can be told.
    pub exists: bool,
}

impl Names {
    /// The answer to LIST.
    pub fn list(
        &self,
        selection: &ListSelection,
        returns: &ListReturn,
        matches: impl Fn(&MailboxName) -> bool,
    ) -> Vec<Line> {
        let chosen: BTreeSet<&MailboxName> = self.everything().filter(|name| self.selected(name, selection)).collect();
        let shown: BTreeSet<&MailboxName> = chosen.iter().copied().filter(|name| matches(name)).collect();
        let mut lines: BTreeMap<MailboxName, bool> = shown.iter().map(|name| ((*name).clone(), false)).collect();
        if selection.recursive_match {
            for child in &chosen {
                for parent in child.ancestors().filter(|parent| matches(parent)) {
                    // What does not match by itself is told only for a child that is not (RFC 5258 §4).
                    if shown.contains(&parent) || !shown.contains(child) {
                        lines.insert(parent, true);
                    }
                }
            }
        }
        let line = |(name, child_subscribed)| {
            let exists = self.mailboxes.contains_key(&name);
            let attributes = self.attributes(&name, returns.subscribed || selection.subscribed);
            Line { attributes, child_subscribed, exists, name }
        };
        lines.into_iter().map(line).collect()
    }

    /// The answer to LSUB. A name that is not subscribed to, but has children that are, shows as `\Noselect` where the
    /// pattern stops at it (RFC 3501 §6.3.9).
    pub fn lsub(&self, matches: impl Fn(&MailboxName) -> bool) -> Vec<Line> {
        let mut lines: BTreeMap<MailboxName, Vec<ListAttribute>> = BTreeMap::new();
        for name in &self.subscribed {
            if matches(name) {
                lines.insert(name.clone(), Vec::new());
                continue;
            }
            for parent in name.ancestors().filter(|parent| !self.subscribed.contains(parent) && matches(parent)) {
                lines.insert(parent, vec![ListAttribute::NoSelect]);
            }
        }
        let line = |(name, attributes)| {
            let exists = self.mailboxes.contains_key(&name);
            Line { name, attributes, child_subscribed: false, exists }
        };
        lines.into_iter().map(line).collect()
    }

    /// Mailboxes, subscribed names without one, and the parents of either, which may have none.
    fn everything(&self) -> impl Iterator<Item = &MailboxName> {
        let gone = self.subscribed.iter().filter(|name| !self.mailboxes.contains_key(*name));
        self.mailboxes.keys().chain(gone)
    }

    fn selected(&self, name: &MailboxName, selection: &ListSelection) -> bool {
        let subscribed = self.subscribed.contains(name);
        let used = self.mailboxes.get(name).is_some_and(Option::is_some);
        // A name without mailbox is told to those who ask for subscriptions only.
        let there = self.mailboxes.contains_key(name) || selection.subscribed;
        there && (!selection.subscribed || subscribed) && (!selection.special_use || used)
    }

    /// CHILDREN and special uses cost nothing here, and clients that do not ask for them profit (RFC 6154 §2 allows it).
    fn attributes(&self, name: &MailboxName, tell_subscribed: bool) -> Vec<ListAttribute> {
        let mut attributes = Vec::new();
        let special_use = self.mailboxes.get(name);
        if special_use.is_none() {
            attributes.push(ListAttribute::NonExistent);
        }
        attributes.push(match self.has_children(name) {
            true => ListAttribute::HasChildren,
            false => ListAttribute::HasNoChildren,
        });
        if tell_subscribed && self.subscribed.contains(name) {
            attributes.push(ListAttribute::Subscribed);
        }
        if let Some(Some(special_use)) = special_use {
            attributes.push(ListAttribute::Use(*special_use));
        }
        attributes
    }

    /// Names sort by octets: `/` comes after space and some signs, so children may lie apart from their parent.
    fn has_children(&self, name: &MailboxName) -> bool {
        self.mailboxes
            .range(name.clone()..)
            .skip(1)
            .take_while(|(other, _)| other.as_str().starts_with(name.as_str()))
            .any(|(other, _)| other.is_below(name))
    }
}

#[cfg(test)]
mod tests {
    use imap::list::matches;

    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::new(text).unwrap()
    }

    fn names() -> Names {
        let mailboxes = ["INBOX", "Fruit", "Fruit/Apple", "Fruit/Banana", "Fruit Salad", "Sent", "Tofu"];
        let subscribed = ["INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable/Broccoli"];
        Names {
            mailboxes: mailboxes.map(|text| (name(text), (text == "Sent").then_some(SpecialUse::Sent))).into(),
            subscribed: subscribed.map(name).into(),
        }
    }

    fn told(lines: &[Line]) -> Vec<String> {
        let one = |line: &Line| {
            let attributes: Vec<&str> = line.attributes.iter().map(|attribute| attribute.as_str()).collect();
            let child = if line.child_subscribed { " +child" } else { "" };
            format!("{} ({}){child}", line.name, attributes.join(" "))
        };
        lines.iter().map(one).collect()
    }

    #[test]
    fn list_tells_children_and_uses() {
        let lines = names().list(&ListSelection::default(), &ListReturn::default(), |name| matches("%", name.as_str()));
        assert_eq!(
            told(&lines),
            [
                "Fruit (\\HasChildren)",
                "Fruit Salad (\\HasNoChildren)",
                "INBOX (\\HasNoChildren)",
                "Sent (\\HasNoChildren \\Sent)",
                "Tofu (\\HasNoChildren)",
            ]
        );
    }

    #[test]
    fn subscriptions_without_mailbox_are_nonexistent() {
        let selection = ListSelection { subscribed: true, ..ListSelection::default() };
        let lines = names().list(&selection, &ListReturn::default(), |name| matches("*", name.as_str()));
        assert_eq!(
            told(&lines),
            [
                "Fruit/Banana (\\HasNoChildren \\Subscribed)",
                "Fruit/Peach (\\NonExistent \\HasNoChildren \\Subscribed)",
                "INBOX (\\HasNoChildren \\Subscribed)",
                "Vegetable/Broccoli (\\NonExistent \\HasNoChildren \\Subscribed)",
            ]
        );
    }

    #[test]
    fn recursive_match_tells_parents_whose_children_are_not_told() {
        let selection = ListSelection { subscribed: true, recursive_match: true, ..ListSelection::default() };
        for (pattern, expected) in [
            (
                "%",
                vec![
                    "Fruit (\\HasChildren) +child",
                    "INBOX (\\HasNoChildren \\Subscribed)",
                    "Vegetable (\\NonExistent \\HasNoChildren) +child",
                ],
            ),
            (
                "*",
                vec![
                    "Fruit/Banana (\\HasNoChildren \\Subscribed)",
                    "Fruit/Peach (\\NonExistent \\HasNoChildren \\Subscribed)",
                    "INBOX (\\HasNoChildren \\Subscribed)",
                    "Vegetable/Broccoli (\\NonExistent \\HasNoChildren \\Subscribed)",
                ],
            ),
        ] {
            let lines = names().list(&selection, &ListReturn::default(), |name| matches(pattern, name.as_str()));
            assert_eq!(told(&lines), expected);
        }
    }

    #[test]
    fn lsub_shows_parents_where_the_pattern_stops() {
        assert_eq!(
            told(&names().lsub(|name| matches("%", name.as_str()))),
            ["Fruit (\\Noselect)", "INBOX ()", "Vegetable (\\Noselect)"]
        );
    }
}
