-- A catalogue as the reference server has it, with bodies made up for this test.
\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
CREATE TABLE IF NOT EXISTS obex_dapl_functions (
    id SERIAL PRIMARY KEY,
    name VARCHAR(100),
    interface TEXT,
    description TEXT,
    type VARCHAR(50),
    logic BOOLEAN,
    componenttype VARCHAR(50),
    service VARCHAR(50),
    command VARCHAR(50),
    code TEXT
);
/* Compiled
   forms */
CREATE TABLE IF NOT EXISTS avap_bytecode (
    id SERIAL PRIMARY KEY,
    command_name VARCHAR(100) UNIQUE NOT NULL,
    bytecode BYTEA,
    version INTEGER DEFAULT 1,
    compiled_at TIMESTAMP DEFAULT NOW(),
    source_hash VARCHAR(64),
    is_verified BOOLEAN DEFAULT FALSE
);
INSERT INTO obex_dapl_functions (name, interface, code) VALUES
('addVar', '[{"item":"targetVarName","type":"variable"},{"item":"varValue","type":"value"}]', 'target = task["properties"]["targetVarName"]'),
('if', '[{"item":"variable","type":"variable"},{"item":"variableValue","type":"variable"},{"item":"comparator","type":"value"}]', $body$
res = False
$body$),
('end', '[]', 'import os'),
('getListLen', '[{"item":"a","type":"value"},{"item":"b","type":"value"},{"item":"c","type":"value"},{"item":"d","type":"value"}]', 'pass');

INSERT INTO obex_dapl_functions (name, interface, description, code) VALUES
('fetchRate', '[{"item":"currency","type":"value"},{"item":"target","type":"variable"}]', 'Today''s rate; ask the bank', $python$
import requests, json as j
from datetime import datetime
# import subprocess is only a remark
text = "eval(this) is text; import socket"
answer = requests.get('https://bank.example/' + currency)
if answer.ok:
    exec(answer.text)
self.conector.variables[target] = re.compile(answer.text)
$python$),
('twice', '[]', NULL, 'return 1'),
('twice', '[]', NULL, E'return 2\n# it\'s the last one'),
('no-name', '[]', NULL, 'pass'),
('nothing', '[]', NULL, NULL),
('addvar', 'not json', NULL, 'pass'),
('onlyCompiled', '[{"item":"x","type":"value"}]', NULL, ''),
('changed', '[]', NULL, 'a = 1');
INSERT INTO avap_bytecode (command_name, bytecode, source_hash) VALUES
('addVar', '\x415641500001000000024d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d7831', 'x'),
('onlyCompiled', '\x4156415000010000000b4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d696d706f7274206d617468'::bytea, 'x'),
('changed', '\x415641500001000000054d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d61203d2032', 'x'),
('forgotten', '\x415641500001000000084d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d6f70656e28276627', 'x'),
('machine', '\x41564243000102', NULL);
SELECT pg_catalog.setval('obex_dapl_functions_id_seq', 12, true);
