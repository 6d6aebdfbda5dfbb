create function {place}{name}({form}) returns {result} language plpgsql as $shadow$
begin
  perform {outsider}.probe();
  return{nothing};
end
$shadow$
