# What `cmake --install` puts where; modules of Dovecot: dovecot-plugins/CMakeLists.txt.
# Units, users and maintainer scripts are debian/'s.

install(TARGETS postward-origin postward-score postward-dkim postward-policyd
        RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS postwardctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY sql/migrations/ DESTINATION ${CMAKE_INSTALL_DATADIR}/postward/sql
        FILES_MATCHING PATTERN "*.sql")
install(DIRECTORY tests/pgtap/ DESTINATION ${CMAKE_INSTALL_DATADIR}/postward/tests
        FILES_MATCHING PATTERN "*.sql")
