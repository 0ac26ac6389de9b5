-- 1: its operator has set it himself. Who got it from somebody signs in with it and approves nothing: else whoever gave it could.
ALTER TABLE operators ADD COLUMN password_own INTEGER NOT NULL DEFAULT 0;
