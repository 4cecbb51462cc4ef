package audit

import "time"

// deniedPerSecond bounds the records about requests that were refused: whoever
// wants to fill the log would only have to be refused. Others are counted, and a
// record says how many they were.
const deniedPerSecond = 50

// denials counts refused requests of a second.
type denials struct {
	second int64
	count  int
	// more are those without a record of their own.
	more int64
}

// Denied writes that a request was refused. It waits for nothing.
func (l *Log) Denied(r *Record) {
	now := time.Now().Unix()
	l.mu.Lock()
	if l.denials.second != now {
		l.denials.second, l.denials.count = now, 0
	}
	l.denials.count++
	allowed := l.denials.count <= deniedPerSecond
	l.mu.Unlock()
	if allowed && l.tryReserve() {
		if _, _, err := l.put(r, false); err == nil {
			return
		}
	}
	l.stats.unrecorded.Add(1)
	l.mu.Lock()
	l.denials.more++
	l.mu.Unlock()
}

// summarize writes how many refused requests have no record of their own. It is
// the writer's, who writes next.
func (l *Log) summarize() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.denials.more == 0 {
		return
	}
	l.used.Add(1)
	l.place(&Record{Time: time.Now(), Kind: Denied, Principal: Server, Action: "denied.more", Outcome: "refused", Count: l.denials.more})
	l.denials.more = 0
}
