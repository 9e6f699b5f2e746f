# Run by CPack between staging and packing, for what Debian asks of the files in a package.
set(tree ${CPACK_TEMPORARY_DIRECTORY}/ALL_COMPONENTS_IN_ONE/usr)
file(GLOB documents ${tree}/share/man/man1/*.1 ${tree}/share/doc/skincheck/changelog*)
if(NOT documents)
    message(FATAL_ERROR "no manual page under ${tree}")
endif()
execute_process(COMMAND gzip -9n ${documents} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND strip --remove-section=.comment --remove-section=.note ${tree}/bin/skincheck
    COMMAND_ERROR_IS_FATAL ANY)
