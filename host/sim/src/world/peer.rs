//! A peer that keeps its lines until it is told that they are durable, and sends to one host at a time.

use super::HostId;

/// See the module.
#[derive(Default)]
pub(crate) struct Peer {
    /// So many lines it has thrown away, because it was told that they are durable.
    pub acknowledged: usize,
    /// Whom it sends to.
    pub reader: Option<HostId>,
}

impl Peer {
    /// A host says that so many lines are durable, and that it wants those behind them, if it says so for the first time. An
    /// error says which promise is broken. `is_owner`: nobody has claimed the checkpoint after it; `kept`: of so many lines a
    /// crash would keep what they are in.
    pub fn told(&mut self, host: HostId, is_owner: bool, lines: usize, kept: usize) -> Result<(), String> {
        if lines > kept {
            return Err(format!("host {host} acknowledges {lines} lines, and a crash would keep {kept}"));
        }
        if self.reader != Some(host) && !is_owner {
            // A later host has taken its place, or is about to. Who started first may be the later one.
            return Ok(());
        }
        if self.reader != Some(host) && lines < self.acknowledged {
            let acknowledged = self.acknowledged;
            return Err(format!("host {host} wants the lines behind {lines}, and {acknowledged} were acknowledged"));
        }
        self.reader = Some(host);
        self.acknowledged = self.acknowledged.max(lines);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_is_durable_and_not_wanted_again() {
        let mut peer = Peer::default();
        let mut said = |host, owner, lines, kept| peer.told(host, host == owner, lines, kept).err().unwrap_or_default();
        assert_eq!(said(1, 1, 0, 0), "");
        assert_eq!(said(1, 1, 7, 7), "");
        assert_eq!(said(1, 2, 9, 8), "host 1 acknowledges 9 lines, and a crash would keep 8");
        assert_eq!(said(0, 2, 3, 8), "", "nobody listens to a host that was overtaken");
        assert_eq!(said(2, 2, 6, 8), "host 2 wants the lines behind 6, and 7 were acknowledged");
        assert_eq!(said(2, 2, 7, 8), "");
        assert_eq!(said(1, 2, 7, 8), "");
        assert_eq!(peer.reader, Some(2));
        assert_eq!(peer.told(1, true, 7, 8), Ok(()), "it has claimed the checkpoint after the other one");
        assert_eq!((peer.acknowledged, peer.reader), (7, Some(1)));
    }
}
