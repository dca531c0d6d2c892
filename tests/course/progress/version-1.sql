PRAGMA application_id = 1798860404;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE attempt (
            uid TEXT NOT NULL UNIQUE, lesson TEXT NOT NULL, exercise TEXT NOT NULL, seed INTEGER NOT NULL,
            at TEXT NOT NULL, outcome TEXT NOT NULL, answer TEXT NOT NULL, hints INTEGER NOT NULL,
            seconds REAL NOT NULL);
INSERT INTO "attempt" VALUES('0a','01-docker','ports',7,'2026-11-21T10:00:00+09:00','failed','"8080"',1,12.5);
INSERT INTO "attempt" VALUES('0b','01-docker','ports',7,'2026-11-21T10:01:00+09:00','passed','{"\uc8fc\uc18c":"172.17.0.2"}',1,31.0);
CREATE TABLE day (day TEXT NOT NULL PRIMARY KEY);
INSERT INTO "day" VALUES('2026-11-21');
CREATE TABLE position (lesson TEXT NOT NULL PRIMARY KEY, step INTEGER NOT NULL, at TEXT NOT NULL);
INSERT INTO "position" VALUES('01-docker',3,'2026-11-21T10:03:00+09:00');
CREATE TABLE setting (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "setting" VALUES('language','"ko"');
INSERT INTO "setting" VALUES('speed','2.0');
CREATE TABLE visit (
            lesson TEXT NOT NULL, step INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
            count INTEGER NOT NULL, PRIMARY KEY (lesson, step));
INSERT INTO "visit" VALUES('01-docker',3,'2026-11-21T09:58:00+09:00','2026-11-21T10:03:00+09:00',2);
CREATE TABLE watched (
            lesson TEXT NOT NULL, exercise TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (lesson, exercise));
INSERT INTO "watched" VALUES('01-docker','modes','2026-11-21T10:02:00+09:00');
CREATE INDEX attempt_of ON attempt (lesson, exercise);
COMMIT;
