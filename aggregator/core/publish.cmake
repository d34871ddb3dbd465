list(APPEND AGG_CORE_SOURCES publish.c)
