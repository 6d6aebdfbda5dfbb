create {temporary} view {place}{name} as select {form} where {outsider}.probe()
