-- a type of an extension that is not here: text under another name, any modifier taken and not kept
-- parameters: {type} {input} {output} {receive} {send} {modifier_in} {modifier_out}
create type {type};
create function {input}(cstring) returns {type} language internal immutable strict parallel safe as 'textin';
create function {output}({type}) returns cstring language internal immutable strict parallel safe as 'textout';
create function {receive}(internal) returns {type} language internal stable strict parallel safe as 'textrecv';
create function {send}({type}) returns bytea language internal stable strict parallel safe as 'textsend';
create function {modifier_in}(cstring[]) returns integer language internal immutable strict parallel safe as 'array_ndims';
create function {modifier_out}(integer) returns cstring language internal immutable strict parallel safe as 'bpchartypmodout';
create type {type} (
  input = {input}, output = {output}, receive = {receive}, send = {send},
  typmod_in = {modifier_in}, typmod_out = {modifier_out},
  internallength = variable, alignment = int4, storage = extended, collatable = true
);
create cast ({type} as text) without function as implicit;
create cast (text as {type}) without function as assignment;
